with source as (

    select * from {{ lake(source('lake', 'thresholds'), 'declared/thresholds.parquet') }}

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
