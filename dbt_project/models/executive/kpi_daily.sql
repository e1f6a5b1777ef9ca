with events as (

    select event_date from {{ ref('stg_lake__events') }}

),

sessions as (

    select * from {{ ref('int_sessions_flagged') }}
    where is_counted

),

page_views as (

    select
        viewed_at,
        platform,
        is_access,
        is_bot,
        is_excluded
    from {{ ref('int_page_views_numbered') }}
    where not is_repeat

),

orders as (

    select * from {{ ref('orders') }}
    where
        not is_bot
        and not is_excluded

),

loss_hourly as (

    select * from {{ ref('loss_hourly') }}

),

access_policy as (

    select * from {{ ref('int_access_policy') }}

),

days_of_data as (

    select event_date as data_date from events
    union
    select {{ utc_date('hour') }} as data_date from loss_hourly

),

calendar as (

    select cast(unnest(generate_series(min(data_date), max(data_date), interval 1 day)) as date) as calendar_date
    from days_of_data

),

sessions_by_day as (

    select
        session_date,
        count(distinct visitor_id) as visitors,
        count(*) filter (where is_new_visitor) as new_visitors,
        count(*) as sessions,
        count(*) filter (where is_bounce) as bounces,
        count(*) filter (where order_count > 0) as sessions_with_order,
        -- Whole microseconds add up to the same in any order; fractions of seconds would not.
        sum(epoch_us(ended_at) - epoch_us(started_at)) / 1e6 / count(*) as average_session_seconds
    from sessions
    group by session_date

),

page_views_by_day as (

    select
        {{ utc_date('page_views.viewed_at') }} as viewed_date,
        count(*) as page_views,
        count(*) filter (
            where page_views.is_access or page_views.platform not in ('desktop_web', 'mobile_web')
        ) as page_views_without_witness
    from page_views
    cross join access_policy
    where
        not page_views.is_bot
        and not page_views.is_excluded
        and (not page_views.is_access or access_policy.is_access_counted)
    group by all

),

orders_by_day as (

    select
        {{ utc_date('ordered_at') }} as order_date,
        count(*) as orders,
        coalesce(sum(reporting_revenue), 0) as revenue
    from orders
    group by all

),

loss_by_day as (

    select
        {{ utc_date('hour') }} as loss_date,
        cast(sum(pixel_hits) as bigint) as pixel_hits,
        cast(sum(event_page_views) as bigint) as event_page_views,
        cast(sum(matched) as bigint) as matched
    from loss_hourly
    group by all

),

joined as (

    select
        calendar.calendar_date,
        sessions_by_day.bounces,
        sessions_by_day.sessions_with_order,
        sessions_by_day.average_session_seconds,
        cast(coalesce(orders_by_day.revenue, 0) as decimal(38, 4)) as revenue,
        loss_by_day.pixel_hits,
        loss_by_day.event_page_views,
        loss_by_day.matched,
        coalesce(sessions_by_day.visitors, 0) as visitors,
        coalesce(sessions_by_day.new_visitors, 0) as new_visitors,
        coalesce(sessions_by_day.sessions, 0) as sessions,
        coalesce(page_views_by_day.page_views, 0) as page_views,
        coalesce(page_views_by_day.page_views_without_witness, 0) as page_views_without_witness,
        coalesce(orders_by_day.orders, 0) as orders,
        {{ chapman_estimate('loss_by_day.pixel_hits', 'loss_by_day.event_page_views', 'loss_by_day.matched') }}
            as estimated_web,
        {{ chapman_margin('loss_by_day.pixel_hits', 'loss_by_day.event_page_views', 'loss_by_day.matched') }}
            as estimated_web_margin
    from calendar
    left join sessions_by_day on calendar.calendar_date = sessions_by_day.session_date
    left join page_views_by_day on calendar.calendar_date = page_views_by_day.viewed_date
    left join orders_by_day on calendar.calendar_date = orders_by_day.order_date
    left join loss_by_day on calendar.calendar_date = loss_by_day.loss_date

),

final as (

    select
        calendar_date as date,
        visitors,
        new_visitors,
        sessions,
        {{ rate('bounces', 'sessions') }} as bounce_rate,
        page_views,
        {{ rate('page_views', 'sessions') }} as pages_per_session,
        average_session_seconds,
        orders,
        revenue,
        {{ rate('sessions_with_order', 'sessions') }} as conversion_rate,
        {{ rate('revenue', 'orders') }} as average_order_value,
        {{ rate('revenue', 'visitors') }} as revenue_per_visitor,
        {{ rate('matched', 'pixel_hits') }} as completeness,
        estimated_web + page_views_without_witness as page_views_estimated,
        estimated_web - estimated_web_margin + page_views_without_witness as page_views_low,
        estimated_web + estimated_web_margin + page_views_without_witness as page_views_high
    from joined

)

select * from final
