with loss_hourly as (

    select * from {{ ref('loss_hourly') }}

),

thresholds as (

    select * from {{ ref('stg_lake__thresholds') }}
    where check_name = 'event_loss'

),

daily as (

    select
        app_id,
        platform,
        {{ utc_date('hour') }} as date,
        cast(sum(pixel_hits) as bigint) as pixel_hits,
        cast(sum(event_page_views) as bigint) as event_page_views,
        cast(sum(matched) as bigint) as matched
    from loss_hourly
    group by all

),

judged as (

    select
        daily.*,
        {{ threshold_status('(daily.pixel_hits - daily.matched)', 'daily.pixel_hits') }} as status
    from daily
    left join thresholds
        on {{ threshold_applies('daily.app_id', 'daily.platform', 'daily.date') }}
    {{ narrowest_threshold(['daily.date', 'daily.app_id', 'daily.platform']) }}

),

estimated as (

    select
        *,
        {{ chapman_cell() }}
    from judged

),

limited as (

    select
        *,
        {{ chapman_high('seen_count', 'unseen_count', 'unseen_variance') }} as high
    from estimated

),

final as (

    select
        date,
        app_id,
        platform,
        pixel_hits,
        event_page_views,
        matched,
        pixel_hits - matched as only_pixel,
        event_page_views - matched as only_event,
        {{ rate('(pixel_hits - matched)', 'pixel_hits') }} as event_loss_rate,
        case when pixel_hits > 0 then {{ rate('(event_page_views - matched)', 'event_page_views') }} end
            as pixel_loss_rate,
        seen_count + unseen_count as estimated_page_views,
        {{ chapman_low('seen_count', 'unseen_count', 'unseen_variance') }} as low,
        high,
        cast(seen_count as double) as dependent_low,
        {{ dependent_high('high') }} as dependent_high,
        status,
        {{ is_sealed('date') }} as is_sealed
    from limited

)

select * from final
