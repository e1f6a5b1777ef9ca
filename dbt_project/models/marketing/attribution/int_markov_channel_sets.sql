{{ config(materialized='in_place_view') }}

with conversion_touches as (

    select * from {{ ref('int_conversions_touched') }}
    where
        touch_count > 0
        and touch_number = 1

),

counted as (

    select
        conversion,
        conversion_month,
        channel_set,
        count(*) as conversion_count
    from conversion_touches
    group by conversion, conversion_month, channel_set

)

select * from counted
