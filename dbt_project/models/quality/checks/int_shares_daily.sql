{{ config(materialized='in_place_view') }}

with loss_daily as (

    select * from {{ ref('loss_daily') }}

),

message_gaps as (

    select * from {{ ref('message_gaps') }}

),

access_loss as (

    select * from {{ ref('access_loss_daily') }}

),

messages_hourly as (

    select * from {{ ref('int_messages_hourly') }}

),

message_shares as (

    select * from {{ ref('int_message_shares') }}

),

tracked_by_day as (

    select
        event_date as check_date,
        app_id,
        platform
    from messages_hourly
    where not is_access
    group by all

),

gaps_by_day as (

    select
        date as check_date,
        app_id,
        platform,
        sum(lost) as lost,
        sum(expected) as expected,
        {{ mean_gap('sum(squared_gaps)', 'sum(lost + rejected)') }} as clump
    from message_gaps
    group by all

),

unioned as (

    select
        'event_loss' as check_name,
        date as check_date,
        app_id,
        platform,
        only_pixel as part,
        pixel_hits as whole
    from loss_daily
    union all by name
    select
        'pixel_loss' as check_name,
        date as check_date,
        app_id,
        platform,
        only_event as part,
        case when pixel_hits > 0 then event_page_views end as whole
    from loss_daily
    union all by name
    select
        'access_loss' as check_name,
        date as check_date,
        app_id,
        cast(null as varchar) as platform,
        sum(unreported) as part,
        sum(page_requests) as whole
    from access_loss
    group by date, app_id
    union all by name
    select
        'message_gaps' as check_name,
        tracked_by_day.check_date,
        tracked_by_day.app_id,
        tracked_by_day.platform,
        coalesce(gaps_by_day.lost, 0) as part,
        gaps_by_day.expected as whole,
        gaps_by_day.clump
    from tracked_by_day
    left join gaps_by_day
        on
            tracked_by_day.check_date = gaps_by_day.check_date
            and tracked_by_day.app_id = gaps_by_day.app_id
            and tracked_by_day.platform = gaps_by_day.platform
    union all by name
    select * from message_shares

),

final as (

    select
        check_name,
        check_date,
        app_id,
        platform,
        cast(part as bigint) as part,
        cast(whole as bigint) as whole,
        clump
    from unioned

)

select * from final
