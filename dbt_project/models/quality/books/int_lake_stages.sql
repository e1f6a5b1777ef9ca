{{ config(materialized='ephemeral') }}

with files as (

    select * from {{ ref('stg_lake__files') }}

),

event_counts as (

    select * from {{ ref('stg_lake__event_counts') }}

),

messages_hourly as (

    select * from {{ ref('int_messages_hourly') }}

),

-- A file belongs to the first day it has lines of.
landed as (

    select
        'land' as stage,
        'files' as unit,
        received_date as date,
        count(*) as came_in,
        count(*) filter (where not coalesce(is_unread, false) or landing_status in ('growing', 'ignored')) as went_out
    from files
    where landing_status not in ('superseded', 'replaced', 'withdrawn')
    group by received_date

),

parsed as (

    select
        'parse' as stage,
        'lines' as unit,
        received_date as date,
        sum(line_count) as came_in,
        coalesce(sum(line_count) filter (where is_parsed), 0) as went_out
    from files
    where inbox_folder in ('events', 'pixel', 'access')
    group by received_date

),

counts_by_file as (

    select
        file_id,
        sum(accepted_count + duplicate_count + collision_count) as judged_count
    from event_counts
    group by file_id

),

judged as (

    select
        'judge' as stage,
        'messages' as unit,
        files.received_date as date,
        sum(files.valid_count) as came_in,
        coalesce(sum(counts_by_file.judged_count), 0) as went_out
    from files
    left join counts_by_file on files.file_id = counts_by_file.file_id
    where files.inbox_folder in ('events', 'access')
    group by files.received_date

),

accepted_by_day as (

    select
        event_date,
        sum(accepted_count) as accepted_count
    from event_counts
    group by event_date

),

events_by_day as (

    select
        event_date,
        sum(message_count) as message_count
    from messages_hourly
    group by event_date

),

sessionized as (

    select
        'sessionize' as stage,
        'events' as unit,
        coalesce(accepted_by_day.event_date, events_by_day.event_date) as date,
        coalesce(accepted_by_day.accepted_count, 0) as came_in,
        coalesce(events_by_day.message_count, 0) as went_out
    from accepted_by_day
    full join events_by_day on accepted_by_day.event_date = events_by_day.event_date

),

unioned as (

    select * from landed
    union all
    select * from parsed
    union all
    select * from judged
    union all
    select * from sessionized

)

select * from unioned
