with sessions as (

    select * from {{ ref('sessions') }}

),

orders as (

    select * from {{ ref('orders') }}

),

sessions_by_person as (

    select
        person_id,
        min(started_at) as first_seen_at,
        max(ended_at) as last_seen_at,
        count(*) as session_count,
        count(distinct visitor_id) as visitor_id_count,
        string_agg(distinct platform, ',' order by platform) as platforms,
        any_value(user_id) filter (where user_id = person_id) as user_id,
        sum(page_view_count) as page_view_count,
        bool_or(is_bot) as is_bot,
        bool_or(is_excluded) as is_excluded
    from sessions
    group by person_id

),

first_sessions as (

    select
        person_id,
        source,
        medium,
        campaign,
        channel,
        platform,
        country,
        landing_url
    from sessions
    where visit_number = 1

),

orders_by_person as (

    select
        person_id,
        count(*) as order_count,
        max(person_id) filter (where person_id <> visitor_id) as user_id,
        {{ known_sum('reporting_revenue', 'is_unrated') }} as revenue,
        min(ordered_at) as first_ordered_at,
        max(ordered_at) as last_ordered_at,
        bool_or(is_bot) as is_bot,
        bool_or(is_excluded) as is_excluded
    from orders
    group by person_id

),

persons as (

    select person_id from sessions_by_person
    union
    select person_id from orders_by_person

),

final as (

    select
        persons.person_id,
        cast(coalesce(sessions_by_person.page_view_count, 0) as bigint) as page_view_count,
        cast(case when orders_by_person.person_id is null then 0 else orders_by_person.revenue end as decimal(38, 4))
            as revenue,
        sessions_by_person.platforms,
        orders_by_person.first_ordered_at,
        orders_by_person.last_ordered_at,
        first_sessions.source as first_source,
        first_sessions.medium as first_medium,
        first_sessions.campaign as first_campaign,
        first_sessions.channel as first_channel,
        first_sessions.platform as first_platform,
        first_sessions.country as first_country,
        first_sessions.landing_url as first_landing_url,
        coalesce(sessions_by_person.user_id, orders_by_person.user_id) as user_id,
        case
            when orders_by_person.order_count > 0 then 'customer'
            when sessions_by_person.session_count > 1 then 'returning'
            else 'new'
        end as visitor_kind,
        least(sessions_by_person.first_seen_at, orders_by_person.first_ordered_at) as first_seen_at,
        greatest(sessions_by_person.last_seen_at, orders_by_person.last_ordered_at) as last_seen_at,
        coalesce(sessions_by_person.session_count, 0) as session_count,
        coalesce(sessions_by_person.visitor_id_count, 0) as visitor_id_count,
        coalesce(orders_by_person.order_count, 0) as order_count,
        coalesce(sessions_by_person.is_bot, false) or coalesce(orders_by_person.is_bot, false) as is_bot,
        coalesce(sessions_by_person.is_excluded, false)
        or coalesce(orders_by_person.is_excluded, false) as is_excluded
    from persons
    left join sessions_by_person on persons.person_id = sessions_by_person.person_id
    left join first_sessions on persons.person_id = first_sessions.person_id
    left join orders_by_person on persons.person_id = orders_by_person.person_id

)

select * from final
