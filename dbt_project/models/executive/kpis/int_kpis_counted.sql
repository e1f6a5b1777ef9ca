with periods_counted as (

    select * from {{ ref('int_reporting_periods') }}

),

pages_estimated as (

    select * from {{ ref('int_pages_estimated') }}

),

sessions as (

    select
        *,
        date as reporting_date
    from {{ ref('facts') }}
    where fact = 'session'

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

orders_counted as (

    select
        {{ kpi_keys() }},
        count(*) as orders,
        count(*) filter (where is_unrated) as unrated_orders,
        {{ known_sum('revenue', 'is_unrated') }} as revenue
    from dated_orders
    group by {{ kpi_grouping_sets() }}

),

facts_counted as (

    select * from sessions_counted
    union all by name
    select * from pages_estimated
    union all by name
    select * from orders_counted

),

-- A row of each kind of fact has no figures of the others.
totals as (

    select
        grain,
        dimension,
        dimension_value,
        period_date,
        cast(coalesce(sum(page_views), 0) as bigint) as page_views,
        cast(coalesce(sum(page_views_without_witness), 0) as bigint) as page_views_without_witness,
        cast(coalesce(sum(pixel_hits), 0) as bigint) as pixel_hits,
        cast(coalesce(sum(matched), 0) as bigint) as matched,
        cast(coalesce(sum(seen_count), 0) as bigint) as seen_count,
        cast(sum(revenue) as decimal(38, 4)) as revenue,
        cast(coalesce(sum(unrated_orders), 0) as bigint) as unrated_orders,
        cast(coalesce(sum(visitors), 0) as bigint) as visitors,
        cast(coalesce(sum(new_visitors), 0) as bigint) as new_visitors,
        cast(coalesce(sum(sessions), 0) as bigint) as sessions,
        cast(coalesce(sum(bounces), 0) as bigint) as bounces,
        cast(coalesce(sum(sessions_with_order), 0) as bigint) as sessions_with_order,
        cast(coalesce(sum(session_microseconds), 0) as hugeint) as session_microseconds,
        cast(coalesce(sum(orders), 0) as bigint) as orders,
        coalesce(sum(unseen_count), 0) as unseen_count,
        coalesce(sum(unseen_variance), 0) as unseen_variance
    from facts_counted
    group by all

),

seen as (

    select distinct
        dimension,
        dimension_value
    from totals
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
    from totals
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
        coalesce(totals.page_views, 0) as page_views,
        coalesce(totals.page_views_without_witness, 0) as page_views_without_witness,
        coalesce(totals.pixel_hits, 0) as pixel_hits,
        coalesce(totals.matched, 0) as matched,
        coalesce(totals.seen_count, 0) as seen_count,
        coalesce(totals.unseen_count, 0) as unseen_count,
        coalesce(totals.unseen_variance, 0) as unseen_variance,
        case when coalesce(totals.orders, 0) = 0 then 0 else totals.revenue end as revenue,
        coalesce(totals.unrated_orders, 0) as unrated_orders,
        coalesce(totals.visitors, 0) as visitors,
        coalesce(totals.new_visitors, 0) as new_visitors,
        coalesce(totals.sessions, 0) as sessions,
        coalesce(totals.bounces, 0) as bounces,
        coalesce(totals.sessions_with_order, 0) as sessions_with_order,
        coalesce(totals.session_microseconds, 0) as session_microseconds,
        coalesce(totals.orders, 0) as orders
    from spine
    left join periods_counted
        on
            spine.grain = periods_counted.grain
            and spine.period_date = periods_counted.period_date
    left join totals
        on
            spine.grain = totals.grain
            and spine.dimension = totals.dimension
            and spine.dimension_value = totals.dimension_value
            and spine.period_date = totals.period_date

)

select * from joined
