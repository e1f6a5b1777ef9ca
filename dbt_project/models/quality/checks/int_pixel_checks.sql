{{ config(materialized='ephemeral') }}

with pages as (

    select * from {{ ref('int_pages_witnessed') }}
    where
        is_seen_by_pixel
        and is_seen_by_event

),

-- Where tracker and pixel name different platforms the hit's counts: many of them are somebody's mistake.
checks as (

    select
        'pixel_platform' as check_name,
        'pixel hits' as scope,
        cast(count(*) filter (where is_platform_disputed) as double) as check_value,
        cast(0 as double) as threshold,
        cast(null as varchar) as hint,
        case
            when count(*) = 0 then 'unknown'
            when count(*) filter (where is_platform_disputed) > 0.01 * count(*) then 'warn'
            else 'ok'
        end as status
    from pages

)

select * from checks
