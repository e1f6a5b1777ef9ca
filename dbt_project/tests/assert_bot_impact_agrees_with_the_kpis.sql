-- What the KPIs are with the rules that flag must be what the KPIs are.
-- A row is a day and rule whose side as of now differs from executive.kpi_daily.
with impact as (

    select * from {{ ref('bot_impact') }}

),

kpi_daily as (

    select * from {{ ref('kpi_daily') }}

),

now_counted as (

    select
        date,
        rule_name,
        case when is_flagging then sessions_with else sessions_without end as sessions,
        case when is_flagging then visitors_with else visitors_without end as visitors,
        case when is_flagging then page_views_with else page_views_without end as page_views,
        case when is_flagging then orders_with else orders_without end as orders,
        case when is_flagging then revenue_with else revenue_without end as revenue
    from impact

),

different as (

    select now_counted.*
    from now_counted
    left join kpi_daily on now_counted.date = kpi_daily.date
    where
        now_counted.sessions is distinct from kpi_daily.sessions
        or now_counted.visitors is distinct from kpi_daily.visitors
        or now_counted.page_views is distinct from kpi_daily.page_views
        or now_counted.orders is distinct from kpi_daily.orders
        -- Of nothing but amounts without a rate the KPIs know no revenue; here what is not added is nought.
        or now_counted.revenue is distinct from coalesce(kpi_daily.revenue, 0)

)

select * from different
