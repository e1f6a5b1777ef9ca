with order_events as (

    select * from {{ ref('int_order_events') }}

),

currency_rates as (

    select * from {{ ref('currency_rates') }}

),

sessions as (

    select
        session_id,
        visitor_id,
        user_id,
        started_at,
        is_bot,
        is_excluded,
        is_access
    from {{ ref('int_sessions_aggregated') }}

),

persons as (

    select * from {{ ref('int_persons_stitched') }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by order_id
            order by
                case when platform = 'backend' then 0 else 1 end,
                event_at,
                received_at,
                request_id,
                batch_position,
                event_id
        ) as preference
    from order_events
    where order_id is not null

),

chosen as (

    select
        order_id,
        event_id,
        app_id,
        platform,
        visitor_id,
        user_id,
        session_id,
        event_at as ordered_at,
        revenue,
        currency,
        quantity,
        is_bot,
        is_excluded
    from ranked
    where preference = 1

),

-- The newest rate that was valid on the day of the order.
rates as (

    select
        chosen.order_id,
        arg_max(currency_rates.rate, currency_rates.valid_from) as rate
    from chosen
    inner join currency_rates
        on
            chosen.currency = currency_rates.currency
            and currency_rates.reporting_currency = '{{ var("reporting_currency") }}'
            and currency_rates.valid_from <= {{ utc_date('chosen.ordered_at') }}
    group by chosen.order_id

),

named_sessions as (

    select
        visitor_id,
        user_id,
        started_at
    from sessions
    where user_id is not null

),

anonymous as (

    select
        order_id,
        visitor_id,
        ordered_at
    from chosen
    where
        session_id is null
        and user_id is null

),

-- The person rule at the moment of the order: the next named session soon enough, else the latest earlier one.
named_later as (

    select
        anonymous.order_id,
        arg_min(named_sessions.user_id, named_sessions.started_at) as user_id
    from anonymous
    inner join named_sessions
        on
            anonymous.visitor_id = named_sessions.visitor_id
            and anonymous.ordered_at <= named_sessions.started_at
            and named_sessions.started_at <= anonymous.ordered_at + interval '{{ var("stitch_days") }} days'
    group by anonymous.order_id

),

named_earlier as (

    select
        anonymous.order_id,
        arg_max(named_sessions.user_id, named_sessions.started_at) as user_id
    from anonymous
    inner join named_sessions
        on
            anonymous.visitor_id = named_sessions.visitor_id
            and anonymous.ordered_at > named_sessions.started_at
    group by anonymous.order_id

),

joined as (

    select
        chosen.order_id,
        chosen.event_id,
        chosen.app_id,
        chosen.platform,
        chosen.visitor_id,
        chosen.session_id,
        chosen.ordered_at,
        chosen.revenue,
        chosen.currency,
        chosen.quantity,
        case
            when sessions.session_id is not null then persons.person_id
            else coalesce(chosen.user_id, named_later.user_id, named_earlier.user_id, chosen.visitor_id)
        end as person_id,
        case
            when chosen.currency = '{{ var("reporting_currency") }}' then chosen.revenue
            else {{ bounded_money('(chosen.revenue * rates.rate)') }}
        end as reporting_revenue,
        chosen.is_bot or coalesce(sessions.is_bot, false) as is_bot,
        chosen.is_excluded or coalesce(sessions.is_excluded, false) as is_excluded
    from chosen
    left join rates on chosen.order_id = rates.order_id
    left join sessions on chosen.session_id = sessions.session_id
    left join persons on chosen.session_id = persons.session_id
    left join named_later on chosen.order_id = named_later.order_id
    left join named_earlier on chosen.order_id = named_earlier.order_id

)

select * from joined
