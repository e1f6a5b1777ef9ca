with calendar as (

    select
        'all' as dimension,
        'all' as dimension_value,
        {{ kpi_periods() }}
    from {{ ref('int_reporting_calendar') }}

),

sessions as (

    select
        *,
        date as reporting_date
    from {{ ref('facts') }}
    where fact = 'session'

),

pages as (

    select * from {{ ref('int_pages_counted') }}

),

orders as (

    select
        *,
        date as reporting_date
    from {{ ref('facts') }}
    where fact = 'order'

),

dated_sessions as (

    select
        *,
        {{ kpi_periods() }}
    from sessions

),

dated_pages as (

    select
        *,
        {{ kpi_periods() }}
    from pages

),

dated_orders as (

    select
        *,
        {{ kpi_periods() }}
    from orders

),

sessions_counted as (

    select
        {{ kpi_keys() }},
        count(distinct visitor_id) as visitors,
        count(*) filter (where is_new_visitor) as new_visitors,
        count(*) as sessions,
        count(*) filter (where is_bounce) as bounces,
        count(*) filter (where has_order) as sessions_with_order,
        cast(sum(session_microseconds) as hugeint) as session_microseconds
    from dated_sessions
    group by {{ kpi_grouping_sets() }}

),

pages_counted as (

    select
        {{ kpi_keys() }},
        sum(page_views) as page_views,
        sum(page_views_without_witness) as page_views_without_witness,
        sum(pixel_hits) as pixel_hits,
        sum(event_page_views) as event_page_views,
        sum(matched) as matched
    from dated_pages
    group by {{ kpi_grouping_sets() }}

),

orders_counted as (

    select
        {{ kpi_keys() }},
        count(*) as orders,
        sum(revenue) as revenue
    from dated_orders
    group by {{ kpi_grouping_sets() }}

),

periods as (

    select
        'day' as grain,
        day_date as period_date,
        day_date
    from calendar
    union all
    select
        'week' as grain,
        week_date as period_date,
        day_date
    from calendar
    union all
    select
        'month' as grain,
        month_date as period_date,
        day_date
    from calendar

),

periods_counted as (

    select
        grain,
        period_date,
        count(*) as day_count,
        case grain
            when 'week' then count(*) = 7
            when 'month' then count(*) = day(last_day(period_date))
            else true
        end as is_complete
    from periods
    group by grain, period_date

),

found_keys as (

    select
        dimension,
        dimension_value,
        grain,
        period_date
    from sessions_counted
    union
    select
        dimension,
        dimension_value,
        grain,
        period_date
    from pages_counted
    union
    select
        dimension,
        dimension_value,
        grain,
        period_date
    from orders_counted

),

seen as (

    select distinct
        dimension,
        dimension_value
    from found_keys
    where dimension in ('platform', 'channel')

),

-- Platforms and channels have a row on every day, so that silence is nought and not absence. Countries are as many
-- as clients care to send: they have one where something happened.
spine as (

    select
        grain,
        'all' as dimension,
        'all' as dimension_value,
        period_date
    from periods_counted
    union all
    select
        periods_counted.grain,
        seen.dimension,
        seen.dimension_value,
        periods_counted.period_date
    from periods_counted
    cross join seen
    where periods_counted.grain = 'day'
    union all
    select
        grain,
        dimension,
        dimension_value,
        period_date
    from found_keys
    where dimension = 'country'

),

joined as (

    select
        spine.grain,
        spine.dimension,
        spine.dimension_value,
        spine.period_date,
        periods_counted.day_count,
        periods_counted.is_complete,
        cast(coalesce(pages_counted.page_views, 0) as bigint) as page_views,
        cast(coalesce(pages_counted.page_views_without_witness, 0) as bigint) as page_views_without_witness,
        cast(coalesce(pages_counted.pixel_hits, 0) as bigint) as pixel_hits,
        cast(coalesce(pages_counted.event_page_views, 0) as bigint) as event_page_views,
        cast(coalesce(pages_counted.matched, 0) as bigint) as matched,
        cast(coalesce(orders_counted.revenue, 0) as decimal(38, 4)) as revenue,
        coalesce(sessions_counted.visitors, 0) as visitors,
        coalesce(sessions_counted.new_visitors, 0) as new_visitors,
        coalesce(sessions_counted.sessions, 0) as sessions,
        coalesce(sessions_counted.bounces, 0) as bounces,
        coalesce(sessions_counted.sessions_with_order, 0) as sessions_with_order,
        coalesce(sessions_counted.session_microseconds, 0) as session_microseconds,
        coalesce(orders_counted.orders, 0) as orders
    from spine
    left join periods_counted
        on
            spine.grain = periods_counted.grain
            and spine.period_date = periods_counted.period_date
    left join sessions_counted
        on
            spine.grain = sessions_counted.grain
            and spine.dimension = sessions_counted.dimension
            and spine.dimension_value = sessions_counted.dimension_value
            and spine.period_date = sessions_counted.period_date
    left join pages_counted
        on
            spine.grain = pages_counted.grain
            and spine.dimension = pages_counted.dimension
            and spine.dimension_value = pages_counted.dimension_value
            and spine.period_date = pages_counted.period_date
    left join orders_counted
        on
            spine.grain = orders_counted.grain
            and spine.dimension = orders_counted.dimension
            and spine.dimension_value = orders_counted.dimension_value
            and spine.period_date = orders_counted.period_date

)

select * from joined
