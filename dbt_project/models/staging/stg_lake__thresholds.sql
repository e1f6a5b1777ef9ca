with source as (

    select * from {{ source('lake', 'thresholds') }}

),

renamed as (

    select
        check_name,
        app_id,
        platform,
        since,
        until,
        warn,
        error,
        plain_from,
        least,
        owner,
        hint,
        precedence
    from source

)

select * from renamed
