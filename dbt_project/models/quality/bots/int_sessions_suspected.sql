{{ config(materialized='in_place_days', meta={'built_by': 'session_date', 'sealed_by': 'session_date'}) }}

with page_views as (

    select * from {{ ref('int_page_views_judged') }}

),

paths_measured as (

    select * from {{ ref('int_paths_measured') }}

),

sessions as (

    select
        session_id,
        any_value(session_date) as session_date,
        any_value(visitor_id) as visitor_id,
        arg_min(ip, (event_at, event_id)) as ip,
        arg_min(user_agent, (event_at, event_id)) as user_agent,
        count(*) as page_views,
        bit_or(1 << extract('hour' from timezone('UTC', event_at))) as hours
    from page_views
    group by session_id

),

session_measures as (

    select
        sessions.session_id as suspect,
        sessions.session_date,
        sessions.page_views,
        paths_measured.distinct_share,
        paths_measured.interval_count,
        paths_measured.interval_variation,
        paths_measured.impossible_steps,
        paths_measured.impossible_share
    from sessions
    left join paths_measured on sessions.session_id = paths_measured.session_id

),

visitor_measures as (

    select
        visitor_id as suspect,
        session_date,
        sum(page_views) as page_views,
        count(*) as session_count,
        bit_count(bit_or(hours)) as active_hours
    from sessions
    group by all

),

visitors_by_address as (

    select
        ip,
        session_date,
        visitor_id,
        sum(page_views) as page_views
    from sessions
    group by all

),

minutes_by_address as (

    select
        ip,
        session_date,
        epoch_us(event_at) // 60000000 as event_minute,
        count(*) as page_views
    from page_views
    group by all

),

busiest_minutes as (

    select
        ip,
        session_date,
        max(page_views) as busiest_minute_page_views
    from minutes_by_address
    group by all

),

agents_by_address as (

    select
        ip,
        session_date,
        count(distinct user_agent) as user_agent_count
    from sessions
    group by all

),

addresses as (

    select
        ip,
        session_date,
        sum(page_views) as page_views,
        count(*) as visitor_count,
        cast(count(*) filter (where page_views = 1) as double) / count(*) as single_view_share
    from visitors_by_address
    group by all

),

address_measures as (

    select
        addresses.ip as suspect,
        addresses.session_date,
        addresses.page_views,
        addresses.visitor_count,
        addresses.single_view_share,
        agents_by_address.user_agent_count,
        busiest_minutes.busiest_minute_page_views,
        cast(addresses.page_views as double) / nullif(agents_by_address.user_agent_count, 0) as views_per_user_agent
    from addresses
    inner join agents_by_address
        on
            addresses.ip = agents_by_address.ip
            and addresses.session_date = agents_by_address.session_date
    inner join busiest_minutes
        on
            addresses.ip = busiest_minutes.ip
            and addresses.session_date = busiest_minutes.session_date

),

found as (

    {{ behaviour_found() }}

),

suspected as (

    select
        sessions.session_id,
        sessions.session_date,
        sessions.visitor_id,
        sessions.ip,
        sessions.user_agent,
        sessions.page_views as page_view_count,
        found.rule_name,
        found.scope,
        found.suspect,
        found.evidence
    from sessions
    inner join found
        on
            sessions.session_date = found.session_date
            and found.suspect = case found.scope
                when 'session' then sessions.session_id
                when 'visitor' then sessions.visitor_id
                else sessions.ip
            end

)

select * from suspected
