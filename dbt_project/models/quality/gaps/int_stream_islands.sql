{{ config(materialized='in_place_days', meta={'built_by': 'event_date', 'sealed_by': 'event_date'}) }}

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
        batch_position,
        visitor_id,
        stream_number,
        previous_stream_id,
        message_version is null as is_client_session,
        hash(app_id, platform, tracker) as sender
    from {{ ref('stg_lake__events') }}
    where
        stream_id is not null
        and message_index is not null
        and {{ built_days('event_date') }}

),

-- Messages that agree in all of this may change places: the islands come out the same.
followed as (

    select
        event_date,
        stream_id,
        message_index,
        app_id,
        platform,
        tracker,
        event_at,
        visitor_id,
        stream_number,
        previous_stream_id,
        is_client_session,
        row_number() over stream_order as ordinal,
        coalesce(message_index - lag(message_index) over stream_order, 0) <> 1
        or lag(sender) over stream_order <> sender as is_first,
        lead(message_index) over stream_order is null as is_last_of_day
    from messages
    window
        stream_order as (
            partition by event_date, stream_id
            order by event_at, received_at, batch_position, message_index, sender
        )

),

-- Indexes of an island follow each other, so that its length follows from where the next one begins.
edges as (

    select
        *,
        coalesce(lead(ordinal) over day_order, ordinal + 1) - ordinal as length_to_next,
        coalesce(lead(is_first) over day_order, true) as is_next_first
    from followed
    where
        is_first
        or is_last_of_day
    window day_order as (partition by event_date, stream_id order by ordinal)

),

islands as (

    select
        event_date,
        stream_id,
        ordinal as island_of_day,
        app_id,
        platform,
        tracker,
        message_index as first_index,
        event_at as started_at,
        visitor_id,
        stream_number,
        previous_stream_id,
        is_client_session,
        message_index + length_to_next - case when is_next_first then 1 else 0 end as last_index
    from edges
    where is_first

)

select * from islands
