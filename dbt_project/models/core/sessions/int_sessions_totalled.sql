{{ config(materialized='in_place_days', meta={'built_by': 'session_date', 'sealed_by': 'session_date'}) }}

with events as (

    select
        session_id,
        visitor_id,
        session_date,
        session_event_number,
        is_session_event,
        schema_name,
        event_at,
        user_id,
        is_repeat,
        is_bot,
        bot_reason,
        is_excluded
    from {{ ref('stg_lake__events') }}
    where
        session_id is not null
        and {{ built_sessions() }}

),

bot_rules as (

    {{ all_bot_rules() }}

),

-- Rules of behaviour flag only where the setting bot_rules names them.
suspected as (

    select
        found.session_id,
        arg_min(found.rule_name, bot_rules.rule_rank) as bot_reason
    from {{ ref('int_sessions_suspected') }} as found
    inner join bot_rules on found.rule_name = bot_rules.rule_name
    where
        bot_rules.is_flagging
        and {{ built_days('found.session_date') }}
    group by found.session_id

),

counted as (

    select
        session_id,
        any_value(visitor_id) as visitor_id,
        any_value(session_date) as session_date,
        min(event_at) filter (where is_session_event) as started_at,
        max(event_at) filter (where is_session_event) as ended_at,
        count(*) as event_count,
        count(*) filter (where schema_name = 'page_view' and not is_repeat) as page_view_count,
        arg_max(user_id, session_event_number) filter (where is_session_event and user_id is not null)
            as user_id,
        bool_or(coalesce(is_bot, false)) as is_bot,
        {{ first_bot_reason('bot_reason') }} as bot_reason,
        bool_or(coalesce(is_excluded, false)) as is_excluded
    from events
    group by session_id

),

flagged as (

    select
        counted.session_id,
        counted.visitor_id,
        counted.session_date,
        counted.started_at,
        counted.ended_at,
        counted.event_count,
        counted.page_view_count,
        counted.user_id,
        counted.is_excluded,
        counted.is_bot or suspected.session_id is not null as is_bot,
        coalesce(counted.bot_reason, suspected.bot_reason) as bot_reason
    from counted
    left join suspected on counted.session_id = suspected.session_id

)

select * from flagged
