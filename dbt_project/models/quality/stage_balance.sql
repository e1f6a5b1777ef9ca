with files as (

    select * from {{ ref('stg_lake__files') }}

),

event_counts as (

    select * from {{ ref('stg_lake__event_counts') }}

),

messages_hourly as (

    select * from {{ ref('int_messages_hourly') }}

),

sessions as (

    select * from {{ ref('sessions') }}

),

page_views as (

    select * from {{ ref('page_views') }}

),

order_events as (

    select * from {{ ref('int_order_events') }}
    where order_id is not null

),

orders as (

    select * from {{ ref('orders') }}

),

-- A file belongs to the first day it has lines of.
landed as (

    select
        'land' as stage,
        'files' as unit,
        received_date as date,
        count(*) as came_in,
        count(*) filter (where landing_status not in ('truncated', 'unreadable', 'bomb')) as went_out
    from files
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

events_by_session_day as (

    select
        session_date,
        sum(session_message_count) as message_count
    from messages_hourly
    where session_message_count > 0
    group by session_date

),

sessions_by_day as (

    select
        session_date,
        sum(event_count) as event_count
    from sessions
    group by session_date

),

sessions_built as (

    select
        'core.sessions' as stage,
        'events' as unit,
        coalesce(events_by_session_day.session_date, sessions_by_day.session_date) as date,
        coalesce(events_by_session_day.message_count, 0) as came_in,
        coalesce(sessions_by_day.event_count, 0) as went_out
    from events_by_session_day
    full join sessions_by_day on events_by_session_day.session_date = sessions_by_day.session_date

),

page_view_events_by_day as (

    select
        event_date,
        sum(page_view_count) as page_view_count
    from messages_hourly
    where page_view_count > 0
    group by event_date

),

page_views_by_day as (

    select
        {{ utc_date('viewed_at') }} as viewed_date,
        count(*) as page_view_count
    from page_views
    group by all

),

page_views_built as (

    select
        'core.page_views' as stage,
        'page views' as unit,
        coalesce(page_view_events_by_day.event_date, page_views_by_day.viewed_date) as date,
        coalesce(page_view_events_by_day.page_view_count, 0) as came_in,
        coalesce(page_views_by_day.page_view_count, 0) as went_out
    from page_view_events_by_day
    full join page_views_by_day on page_view_events_by_day.event_date = page_views_by_day.viewed_date

),

distinct_orders as (

    select distinct order_id from order_events

),

orders_built as (

    select
        'core.orders' as stage,
        'orders' as unit,
        {{ utc_date('orders.ordered_at') }} as date,
        count(distinct_orders.order_id) as came_in,
        count(orders.order_id) as went_out
    from distinct_orders
    full join orders on distinct_orders.order_id = orders.order_id
    group by all

),

unioned as (

    select * from landed
    union all
    select * from parsed
    union all
    select * from judged
    union all
    select * from sessionized
    union all
    select * from sessions_built
    union all
    select * from page_views_built
    union all
    select * from orders_built

),

final as (

    select
        date,
        stage,
        unit,
        cast(came_in as bigint) as came_in,
        cast(went_out as bigint) as went_out,
        cast(came_in - went_out as bigint) as balance
    from unioned

)

select * from final
