with messages_hourly as (

    select * from {{ ref('int_messages_hourly') }}
    where {{ is_no_probe('app_id') }}

),

tracked as (

    select
        event_date as access_date,
        cast(sum(page_view_count) filter (where not is_access) as bigint) as tracked_page_view_count
    from messages_hourly
    group by event_date
    having
        count(*) filter (where is_access) > 0
        and count(*) filter (where not is_access) > 0

)

select * from tracked
