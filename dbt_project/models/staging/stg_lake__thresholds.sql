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
        subject,
        unit,
        kind,
        if_unknown,
        if_nothing,
        precedence,
        app_id is null
        and platform is null
        and since is null
        and until is null as is_general
    from source

)

select * from renamed
