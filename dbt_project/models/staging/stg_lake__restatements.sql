with source as (

    select * from {{ source('lake', 'restatements') }}

),

renamed as (

    select
        published_at,
        date as said_date,
        metric,
        value as said_value,
        previous_value,
        previous_published_at,
        reason,
        definition
    from source

)

select * from renamed
