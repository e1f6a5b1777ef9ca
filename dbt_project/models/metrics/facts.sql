with sessions as (

    select * from {{ ref('sessions') }}

),

page_views as (

    select * from {{ ref('page_views') }}
    where is_counted

),

page_view_counts as (

    select * from {{ ref('page_view_counts') }}
    where is_counted

),

-- Of days whose events are gone it is known how many pages were viewed, and not which.
viewed as (

    select
        session_id,
        platform,
        viewed_at,
        1 as view_count,
        {{ page_name('url_host', 'url_path') }} as page
    from page_views
    union all
    select
        session_id,
        platform,
        viewed_from as viewed_at,
        page_views as view_count,
        cast(null as varchar) as page
    from page_view_counts

),

orders as (

    select * from {{ ref('orders') }}
    where is_counted

),

session_facts as (

    select
        'session' as fact,
        {{ reporting_date('started_at') }} as date,
        visitor_id,
        platform,
        channel,
        source,
        medium,
        campaign,
        device,
        browser,
        os,
        visitor_kind,
        is_new_visitor,
        is_bounce,
        order_count > 0 as has_order,
        -- Whole microseconds add up to the same in any order; fractions of seconds would not.
        epoch_us(ended_at) - epoch_us(started_at) as session_microseconds,
        page_view_count,
        cast(null as bigint) as view_count,
        cast(null as decimal(18, 4)) as revenue,
        cast(null as boolean) as is_unrated,
        coalesce(country, '(unknown)') as country,
        {{ page_name('landing_host', 'landing_path') }} as landing_page,
        cast(null as varchar) as page
    from sessions
    where is_counted

),

-- A page view or an order is where its session is, whether or not that counts; only a page's platform is its own.
page_view_facts as (

    select
        'page_view' as fact,
        {{ reporting_date('viewed.viewed_at') }} as date,
        cast(null as varchar) as visitor_id,
        coalesce(viewed.platform, '(unknown)') as platform,
        coalesce(sessions.channel, '(unknown)') as channel,
        sessions.source,
        sessions.medium,
        sessions.campaign,
        sessions.device,
        sessions.browser,
        sessions.os,
        sessions.visitor_kind,
        cast(null as boolean) as is_new_visitor,
        cast(null as boolean) as is_bounce,
        cast(null as boolean) as has_order,
        cast(null as bigint) as session_microseconds,
        cast(null as bigint) as page_view_count,
        cast(viewed.view_count as bigint) as view_count,
        cast(null as decimal(18, 4)) as revenue,
        cast(null as boolean) as is_unrated,
        coalesce(sessions.country, '(unknown)') as country,
        {{ page_name('sessions.landing_host', 'sessions.landing_path') }} as landing_page,
        viewed.page
    from viewed
    left join sessions on viewed.session_id = sessions.session_id

),

order_facts as (

    select
        'order' as fact,
        {{ reporting_date('orders.ordered_at') }} as date,
        cast(null as varchar) as visitor_id,
        coalesce(sessions.platform, orders.platform) as platform,
        coalesce(sessions.channel, '(unknown)') as channel,
        sessions.source,
        sessions.medium,
        sessions.campaign,
        sessions.device,
        sessions.browser,
        sessions.os,
        sessions.visitor_kind,
        cast(null as boolean) as is_new_visitor,
        cast(null as boolean) as is_bounce,
        cast(null as boolean) as has_order,
        cast(null as bigint) as session_microseconds,
        cast(null as bigint) as page_view_count,
        cast(null as bigint) as view_count,
        orders.reporting_revenue as revenue,
        orders.is_unrated,
        coalesce(sessions.country, '(unknown)') as country,
        {{ page_name('sessions.landing_host', 'sessions.landing_path') }} as landing_page,
        cast(null as varchar) as page
    from orders
    left join sessions on orders.session_id = sessions.session_id

),

unioned as (

    select * from session_facts
    union all
    select * from page_view_facts
    union all
    select * from order_facts

)

select * from unioned
