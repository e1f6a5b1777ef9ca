{{ config(meta={'sealed_by': 'hour'}) }}

with pages as (

    select * from {{ ref('int_pages_witnessed') }}

),

thresholds as (

    select * from {{ ref('stg_lake__thresholds') }}
    where check_name = 'event_loss'

),

hourly as (

    select
        app_id,
        platform,
        date_trunc('hour', seen_at) as hour,
        count(*) filter (where is_seen_by_pixel) as pixel_hits,
        count(*) filter (where is_seen_by_event) as event_page_views,
        count(*) filter (where is_seen_by_pixel and is_seen_by_event) as matched
    from pages
    where not is_bot
    group by all

),

judged as (

    select
        hourly.*,
        {{ threshold_status('(hourly.pixel_hits - hourly.matched)', 'hourly.pixel_hits', least=1) }} as status
    from hourly
    left join thresholds
        on {{ threshold_applies('hourly.app_id', 'hourly.platform', utc_date('hourly.hour')) }}
    {{ narrowest_threshold(['hourly.hour', 'hourly.app_id', 'hourly.platform']) }}

),

estimated as (

    select
        *,
        {{ chapman_cell() }}
    from judged

),

final as (

    select
        hour,
        app_id,
        platform,
        pixel_hits,
        event_page_views,
        matched,
        pixel_hits - matched as only_pixel,
        event_page_views - matched as only_event,
        {{ rate('(pixel_hits - matched)', 'pixel_hits') }} as event_loss_rate,
        -- An hour without a hit in a day with a pixel log is a loss of the pixel's.
        case
            when sum(pixel_hits) over (partition by {{ utc_date('hour') }}) > 0
                then {{ rate('(event_page_views - matched)', 'event_page_views') }}
        end as pixel_loss_rate,
        seen_count + unseen_count as estimated_page_views,
        {{ chapman_low('seen_count', 'unseen_count', 'unseen_variance') }} as low,
        {{ chapman_high('seen_count', 'unseen_count', 'unseen_variance') }} as high,
        status,
        {{ is_sealed(utc_date('hour')) }} as is_sealed
    from estimated

)

select * from final
