with totals_by_rule as (

    select * from {{ ref('int_rules_totalled') }}

),

sessions as (

    select
        {{ reporting_date('started_at') }} as session_date,
        visitor_id,
        is_bounce,
        order_count,
        is_counted
    from {{ ref('sessions') }}

),

calendar as (

    select * from {{ ref('int_reporting_calendar') }}

),

access_policy as (

    select * from {{ ref('int_access_policy') }}

),

page_views as (

    select
        {{ reporting_date('viewed_from') }} as viewed_date,
        page_views,
        is_access,
        is_bot,
        is_excluded
    from {{ ref('int_page_views_counted') }}

),

orders as (

    select
        {{ reporting_date('ordered_at') }} as order_date,
        reporting_revenue,
        is_counted
    from {{ ref('orders') }}

),

bot_rules as (

    {{ all_bot_rules() }}

),

-- A day with nothing that counts has a row too.
counted_facts as (

    select
        session_date as impact_date,
        count(*) filter (where is_counted) as sessions,
        count(distinct visitor_id) filter (where is_counted) as visitors,
        count(*) filter (
            where is_counted
            and is_bounce
        ) as bounces,
        count(*) filter (
            where is_counted
            and order_count > 0
        ) as sessions_with_order
    from sessions
    group by session_date
    union all by name
    select
        page_views.viewed_date as impact_date,
        sum(page_views.page_views) filter (where {{ counts('page_views') }}) as page_views
    from page_views
    cross join access_policy
    group by page_views.viewed_date
    union all by name
    select
        order_date as impact_date,
        count(*) filter (where is_counted) as orders,
        sum(reporting_revenue) filter (where is_counted) as revenue
    from orders
    group by order_date

),

counted_days as (

    select
        impact_date,
        cast(coalesce(sum(sessions), 0) as bigint) as sessions,
        cast(coalesce(sum(visitors), 0) as bigint) as visitors,
        cast(coalesce(sum(bounces), 0) as bigint) as bounces,
        cast(coalesce(sum(sessions_with_order), 0) as bigint) as sessions_with_order,
        cast(coalesce(sum(page_views), 0) as bigint) as page_views,
        cast(coalesce(sum(orders), 0) as bigint) as orders,
        cast(coalesce(sum(revenue), 0) as decimal(38, 4)) as revenue
    from counted_facts
    -- A day that one wrong clock alone speaks of is none.
    where impact_date in (select calendar.reporting_date from calendar)
    group by impact_date

),

joined as (

    select
        counted_days.*,
        bot_rules.rule_name,
        bot_rules.is_flagging,
        cast(coalesce(totals_by_rule.sessions, 0) as bigint) as rule_sessions,
        cast(coalesce(totals_by_rule.visitors, 0) as bigint) as rule_visitors,
        cast(coalesce(totals_by_rule.bounces, 0) as bigint) as rule_bounces,
        cast(coalesce(totals_by_rule.sessions_with_order, 0) as bigint) as rule_sessions_with_order,
        cast(coalesce(totals_by_rule.page_views, 0) as bigint) as rule_page_views,
        cast(coalesce(totals_by_rule.orders, 0) as bigint) as rule_orders,
        cast(coalesce(totals_by_rule.revenue, 0) as decimal(38, 4)) as rule_revenue,
        case when bot_rules.is_flagging then 0 else -1 end as sign_with,
        case when bot_rules.is_flagging then 1 else 0 end as sign_without
    from counted_days
    cross join bot_rules
    left join totals_by_rule
        on
            counted_days.impact_date = totals_by_rule.impact_date
            and bot_rules.rule_name = totals_by_rule.rule_name

),

final as (

    select
        impact_date as date,
        rule_name,
        is_flagging,
        rule_sessions as sessions_decided,
        cast(revenue + sign_with * rule_revenue as decimal(38, 4)) as revenue_with,
        cast(revenue + sign_without * rule_revenue as decimal(38, 4)) as revenue_without,
        sessions + sign_with * rule_sessions as sessions_with,
        sessions + sign_without * rule_sessions as sessions_without,
        visitors + sign_with * rule_visitors as visitors_with,
        visitors + sign_without * rule_visitors as visitors_without,
        page_views + sign_with * rule_page_views as page_views_with,
        page_views + sign_without * rule_page_views as page_views_without,
        orders + sign_with * rule_orders as orders_with,
        orders + sign_without * rule_orders as orders_without,
        {{ rate('(bounces + sign_with * rule_bounces)', '(sessions + sign_with * rule_sessions)') }}
            as bounce_rate_with,
        {{ rate('(bounces + sign_without * rule_bounces)', '(sessions + sign_without * rule_sessions)') }}
            as bounce_rate_without,
        {{ rate(
            '(sessions_with_order + sign_with * rule_sessions_with_order)',
            '(sessions + sign_with * rule_sessions)'
        ) }} as conversion_rate_with,
        {{ rate(
            '(sessions_with_order + sign_without * rule_sessions_with_order)',
            '(sessions + sign_without * rule_sessions)'
        ) }} as conversion_rate_without,
        {{ is_sealed_until('cast(impact_date + interval 1 day as date)') }} as is_sealed
    from joined

)

select * from final
