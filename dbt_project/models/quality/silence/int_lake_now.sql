with messages_hourly as (

    select * from {{ ref('int_messages_hourly') }}
    where not coalesce(is_stray, false)

),

quarantine as (

    select quarantine.received_at
    from {{ ref('stg_lake__quarantine') }} as quarantine
    anti join {{ ref('stg_lake__strays') }} as strays
        on
            split_part(quarantine.source_file, '/', 1) = strays.inbox_folder
            and {{ utc_date('quarantine.received_at') }} = strays.received_date

),

received as (

    select
        earliest_received_at,
        latest_received_at
    from messages_hourly
    union all
    select
        received_at as earliest_received_at,
        received_at as latest_received_at
    from quarantine

),

event_span as (

    select
        min(earliest_event_at) as earliest_event_at,
        max(latest_event_at) as latest_event_at
    from messages_hourly

),

-- Where nothing says when it came, what happened is all there is.
latest as (

    select
        coalesce(min(received.earliest_received_at), min(event_span.earliest_event_at)) as first_received_at,
        coalesce(max(received.latest_received_at), max(event_span.latest_event_at)) as latest_received_at
    from received
    cross join event_span

)

select * from latest
