-- Every page is seen by both, by the pixel alone or by the events alone; anything else is counted twice or lost.
-- A row is an hour whose parts are negative or do not add up to what the witnesses saw.
with loss_hourly as (

    select * from {{ ref('loss_hourly') }}

),

broken as (

    select
        hour,
        app_id,
        platform,
        pixel_hits,
        event_page_views,
        matched,
        only_pixel,
        only_event,
        status
    from loss_hourly
    where
        matched + only_pixel is distinct from pixel_hits
        or matched + only_event is distinct from event_page_views
        or least(matched, only_pixel, only_event) < 0
        or (pixel_hits = 0 and status <> 'unknown')

)

select * from broken
