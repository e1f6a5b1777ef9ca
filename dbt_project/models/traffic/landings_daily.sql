with sessions as (

    select * from {{ ref('sessions') }}
    where is_counted

),

orders as (

    select
        session_id,
        count(*) as orders,
        bool_and(is_unrated) as is_unrated,
        sum(reporting_revenue) as revenue
    from {{ ref('orders') }}
    where
        is_counted
        and session_id is not null
    group by session_id

),

totals as (

    select
        {{ reporting_date('sessions.started_at') }} as date,
        sessions.app_id,
        sessions.platform,
        sessions.landing_host as url_host,
        sessions.channel,
        coalesce(sessions.landing_path, '(unknown)') as url_path,
        count(*) as sessions,
        count(*) filter (where sessions.is_bounce) as bounces,
        cast(coalesce(sum(orders.orders), 0) as bigint) as orders,
        cast({{ known_sum('orders.revenue', 'orders.is_unrated') }} as decimal(38, 4)) as revenue
    from sessions
    left join orders on sessions.session_id = orders.session_id
    group by all

),

{{ with_completeness('totals') }}
