with conversion_events as (

    select * from {{ ref('int_conversion_events') }}

),

sessions as (

    select
        session_id,
        visitor_id,
        user_id,
        started_at,
        is_bot,
        is_excluded
    from {{ ref('int_sessions_aggregated') }}

),

persons as (

    select * from {{ ref('int_persons_stitched') }}

),

access_policy as (

    select * from {{ ref('int_access_policy') }}

),

rates as (

    select * from {{ ref('int_currency_rates_dated') }}

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

    select distinct
        event_id,
        visitor_id,
        event_at
    from conversion_events
    where
        session_id is null
        and user_id is null

),

-- The person rule at the moment of the conversion: the next named session soon enough, else the latest earlier one.
named_later as (

    select
        anonymous.event_id,
        arg_min(named_sessions.user_id, named_sessions.started_at) as user_id
    from anonymous
    inner join named_sessions
        on
            anonymous.visitor_id = named_sessions.visitor_id
            and anonymous.event_at <= named_sessions.started_at
            and named_sessions.started_at <= anonymous.event_at + interval '{{ var("stitch_days") }} days'
    group by anonymous.event_id

),

named_earlier as (

    select
        anonymous.event_id,
        arg_max(named_sessions.user_id, named_sessions.started_at) as user_id
    from anonymous
    inner join named_sessions
        on
            anonymous.visitor_id = named_sessions.visitor_id
            and anonymous.event_at > named_sessions.started_at
    group by anonymous.event_id

),

counted as (

    select
        conversion_events.*,
        case
            when sessions.session_id is not null then persons.person_id
            else coalesce(
                conversion_events.user_id, named_later.user_id, named_earlier.user_id, conversion_events.visitor_id
            )
        end as person_id
    from conversion_events
    cross join access_policy
    left join sessions on conversion_events.session_id = sessions.session_id
    left join persons on conversion_events.session_id = persons.session_id
    left join named_later on conversion_events.event_id = named_later.event_id
    left join named_earlier on conversion_events.event_id = named_earlier.event_id
    where
        not (conversion_events.is_bot or coalesce(sessions.is_bot, false))
        and not (conversion_events.is_excluded or coalesce(sessions.is_excluded, false))
        and (not conversion_events.is_access or access_policy.is_access_counted)

),

numbered as (

    select
        *,
        row_number() over (
            partition by
                conversion,
                case once_per
                    when 'person' then person_id
                    when 'session' then coalesce(session_id, event_id)
                    else event_id
                end
            order by event_at, event_id
        ) as occurrence
    from counted

),

final as (

    select
        numbered.conversion,
        numbered.event_id,
        numbered.person_id,
        numbered.visitor_id,
        numbered.session_id,
        numbered.event_at as converted_at,
        numbered.value,
        numbered.currency,
        {{ bounded_money('(numbered.value * rates.rate)') }} as reporting_value
    from numbered
    left join rates
        on
            numbered.currency = rates.currency
            and {{ utc_date('numbered.event_at') }} >= rates.valid_from
            and {{ utc_date('numbered.event_at') }} < rates.valid_until
    where numbered.occurrence = 1

)

select * from final
