with sessions as (

    select
        session_id,
        {{ reporting_date('started_at') }} as session_date,
        visitor_id,
        is_bounce,
        order_count,
        is_bot,
        bot_reason,
        is_excluded,
        is_access,
        is_counted
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
        {{ reporting_date('viewed_at') }} as viewed_date,
        is_access,
        is_bot,
        is_excluded
    from {{ ref('int_page_views_numbered') }}
    where not is_repeat

),

orders as (

    select
        session_id,
        {{ reporting_date('ordered_at') }} as order_date,
        reporting_revenue,
        is_bot,
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
        sessions.session_date,
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
        sessions.session_date,
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
        session_date,
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
        decided_visitors.session_date,
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
        session_date,
        count(*) as sessions,
        count(*) filter (where is_bounce) as bounces,
        count(*) filter (where order_count > 0) as sessions_with_order
    from decided
    group by all

),

page_views_by_rule as (

    select
        decided.rule_name,
        page_views.viewed_date,
        count(*) as page_views
    from decided
    inner join page_views on decided.session_id = page_views.session_id
    group by all

),

orders_by_rule as (

    select
        decided.rule_name,
        orders.order_date,
        count(*) as orders,
        coalesce(sum(orders.reporting_revenue), 0) as revenue
    from decided
    inner join orders on decided.session_id = orders.session_id
    where not orders.is_excluded
    group by all

),

counted_sessions as (

    select
        session_date,
        count(*) as sessions,
        count(distinct visitor_id) as visitors,
        count(*) filter (where is_bounce) as bounces,
        count(*) filter (where order_count > 0) as sessions_with_order
    from sessions
    where is_counted
    group by session_date

),

counted_page_views as (

    select
        page_views.viewed_date,
        count(*) as page_views
    from page_views
    cross join access_policy
    where {{ counts('page_views') }}
    group by page_views.viewed_date

),

counted_orders as (

    select
        order_date,
        count(*) as orders,
        coalesce(sum(reporting_revenue), 0) as revenue
    from orders
    where
        not is_bot
        and not is_excluded
    group by order_date

),

days as (

    select session_date as impact_date from sessions
    union
    select viewed_date from page_views
    union
    select order_date from orders

),

joined as (

    select
        days.impact_date,
        bot_rules.rule_name,
        bot_rules.rule_rank,
        bot_rules.is_flagging,
        case when bot_rules.is_flagging then 0 else -1 end as sign_with,
        case when bot_rules.is_flagging then 1 else 0 end as sign_without,
        coalesce(counted_sessions.sessions, 0) as sessions,
        coalesce(counted_sessions.visitors, 0) as visitors,
        coalesce(counted_sessions.bounces, 0) as bounces,
        coalesce(counted_sessions.sessions_with_order, 0) as sessions_with_order,
        coalesce(counted_page_views.page_views, 0) as page_views,
        coalesce(counted_orders.orders, 0) as orders,
        coalesce(counted_orders.revenue, 0) as revenue,
        coalesce(sessions_by_rule.sessions, 0) as rule_sessions,
        coalesce(visitors_by_rule.visitors, 0) as rule_visitors,
        coalesce(sessions_by_rule.bounces, 0) as rule_bounces,
        coalesce(sessions_by_rule.sessions_with_order, 0) as rule_sessions_with_order,
        coalesce(page_views_by_rule.page_views, 0) as rule_page_views,
        coalesce(orders_by_rule.orders, 0) as rule_orders,
        coalesce(orders_by_rule.revenue, 0) as rule_revenue
    from days
    cross join bot_rules
    left join counted_sessions on days.impact_date = counted_sessions.session_date
    left join counted_page_views on days.impact_date = counted_page_views.viewed_date
    left join counted_orders on days.impact_date = counted_orders.order_date
    left join sessions_by_rule
        on
            days.impact_date = sessions_by_rule.session_date
            and bot_rules.rule_name = sessions_by_rule.rule_name
    left join visitors_by_rule
        on
            days.impact_date = visitors_by_rule.session_date
            and bot_rules.rule_name = visitors_by_rule.rule_name
    left join page_views_by_rule
        on
            days.impact_date = page_views_by_rule.viewed_date
            and bot_rules.rule_name = page_views_by_rule.rule_name
    left join orders_by_rule
        on
            days.impact_date = orders_by_rule.order_date
            and bot_rules.rule_name = orders_by_rule.rule_name

),

final as (

    select
        impact_date as date,
        rule_name,
        is_flagging,
        rule_sessions as sessions_decided,
        sessions + sign_with * rule_sessions as sessions_with,
        sessions + sign_without * rule_sessions as sessions_without,
        visitors + sign_with * rule_visitors as visitors_with,
        visitors + sign_without * rule_visitors as visitors_without,
        page_views + sign_with * rule_page_views as page_views_with,
        page_views + sign_without * rule_page_views as page_views_without,
        orders + sign_with * rule_orders as orders_with,
        orders + sign_without * rule_orders as orders_without,
        cast(revenue + sign_with * rule_revenue as decimal(38, 4)) as revenue_with,
        cast(revenue + sign_without * rule_revenue as decimal(38, 4)) as revenue_without,
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
        ) }} as conversion_rate_without
    from joined

)

select * from final
