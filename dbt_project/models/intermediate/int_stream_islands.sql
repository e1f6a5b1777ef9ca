{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook="{% if is_incremental() %}delete from {{ this }} where {{ built_days('event_date') }}{% endif %}"
) }}

with messages as (

    select
        event_date,
        stream_id,
        message_index,
        app_id,
        platform,
        tracker,
        event_at,
        received_at,
        batch_position
    from {{ ref('stg_lake__events') }}
    where
        stream_id is not null
        and message_index is not null
        and {{ built_days('event_date') }}

),

-- Messages that agree in all of this may change places: the islands come out the same.
followed as (

    select
        *,
        lag(message_index) over stream_order as index_before,
        lag(app_id) over stream_order as app_id_before,
        lag(platform) over stream_order as platform_before,
        lag(tracker) over stream_order as tracker_before
    from messages
    window
        stream_order as (
            partition by event_date, stream_id
            order by event_at, received_at, batch_position, message_index, app_id, platform, tracker
        )

),

started as (

    select
        *,
        coalesce(message_index - index_before, 0) <> 1
        or (app_id is distinct from app_id_before)
        or (platform is distinct from platform_before)
        or (tracker is distinct from tracker_before) as is_start
    from followed

),

cut as (

    select
        *,
        count(*) filter (where is_start) over (
            partition by event_date, stream_id
            order by event_at, received_at, batch_position, message_index, app_id, platform, tracker
            rows between unbounded preceding and current row
        ) as island_of_day
    from started

),

islands as (

    select
        event_date,
        stream_id,
        island_of_day,
        any_value(app_id) as app_id,
        any_value(platform) as platform,
        any_value(tracker) as tracker,
        min(message_index) as first_index,
        max(message_index) as last_index,
        min(event_at) as started_at
    from cut
    group by event_date, stream_id, island_of_day

)

select * from islands
