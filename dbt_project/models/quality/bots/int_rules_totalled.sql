{{ config(materialized='ephemeral') }}

with sessions as (

    select
        *,
        {{ reporting_date('started_at') }} as reporting_date
    from {{ ref('sessions') }}

),

access_policy as (

    select * from {{ ref('int_access_policy') }}

),

suspected as (

    select
        session_id,
        rule_name
    from {{ ref('int_sessions_suspected') }}

),

page_views as (

    select
        session_id,
        {{ reporting_date('viewed_from') }} as viewed_date,
        page_views
    from {{ ref('int_page_views_counted') }}

),

orders as (

    select
        session_id,
        {{ reporting_date('ordered_at') }} as order_date,
        reporting_revenue,
        is_excluded
    from {{ ref('orders') }}

),

bot_rules as (

    {{ all_bot_rules() }}

),

-- Sessions that a rule alone decides about: those it has flagged, and those it would flag if it were switched on.
decided as (

    select
        sessions.session_id,
        sessions.reporting_date as session_date,
        sessions.visitor_id,
        sessions.is_bounce,
        sessions.order_count,
        sessions.bot_reason as rule_name
    from sessions
    cross join access_policy
    where
        sessions.is_bot
        and not sessions.is_excluded
        and (not sessions.is_access or access_policy.is_access_counted)
    union all
    select
        sessions.session_id,
        sessions.reporting_date as session_date,
        sessions.visitor_id,
        sessions.is_bounce,
        sessions.order_count,
        suspected.rule_name
    from sessions
    inner join suspected on sessions.session_id = suspected.session_id
    where sessions.is_counted

),

counted_visitors as (

    select
        reporting_date as session_date,
        visitor_id,
        count(*) as session_count
    from sessions
    where is_counted
    group by all

),

-- A visitor comes or goes with a rule when no other session of the day keeps the visitor in.
decided_visitors as (

    select
        decided.rule_name,
        decided.session_date,
        decided.visitor_id,
        count(*) as session_count
    from decided
    group by all

),

visitors_by_rule as (

    select
        decided_visitors.rule_name,
        decided_visitors.session_date as impact_date,
        count(*) filter (
            where counted_visitors.session_count is null
            or (not bot_rules.is_flagging and counted_visitors.session_count = decided_visitors.session_count)
        ) as visitors
    from decided_visitors
    inner join bot_rules on decided_visitors.rule_name = bot_rules.rule_name
    left join counted_visitors
        on
            decided_visitors.session_date = counted_visitors.session_date
            and decided_visitors.visitor_id = counted_visitors.visitor_id
    group by all

),

sessions_by_rule as (

    select
        rule_name,
        session_date as impact_date,
        count(*) as sessions,
        count(*) filter (where is_bounce) as bounces,
        count(*) filter (where order_count > 0) as sessions_with_order
    from decided
    group by all

),

page_views_by_rule as (

    select
        decided.rule_name,
        page_views.viewed_date as impact_date,
        sum(page_views.page_views) as page_views
    from decided
    inner join page_views on decided.session_id = page_views.session_id
    group by all

),

orders_by_rule as (

    select
        decided.rule_name,
        orders.order_date as impact_date,
        count(*) as orders,
        sum(orders.reporting_revenue) as revenue
    from decided
    inner join orders on decided.session_id = orders.session_id
    where not orders.is_excluded
    group by all

),

facts_by_rule as (

    select * from visitors_by_rule
    union all by name
    select * from sessions_by_rule
    union all by name
    select * from page_views_by_rule
    union all by name
    select * from orders_by_rule

),

totals_by_rule as (

    select
        impact_date,
        rule_name,
        sum(sessions) as sessions,
        sum(visitors) as visitors,
        sum(bounces) as bounces,
        sum(sessions_with_order) as sessions_with_order,
        sum(page_views) as page_views,
        sum(orders) as orders,
        sum(revenue) as revenue
    from facts_by_rule
    group by all

)

select * from totals_by_rule
