{{ config(meta={'sealed_by': 'date'}) }}

with lake_stages as (

    select * from {{ ref('int_lake_stages') }}

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

    select * from lake_stages
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
