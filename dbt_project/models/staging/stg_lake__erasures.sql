with source as (

    select * from {{ source('lake', 'erasures') }}

),

renamed as (

    select
        erasure,
        asked_at,
        kind,
        persons as person_count,
        lines as line_count,
        messages as message_count,
        first_day as first_date,
        last_day as last_date
    from source

)

select * from renamed
