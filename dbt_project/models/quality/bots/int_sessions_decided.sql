{{ config(materialized='ephemeral') }}

with sessions as (

    select * from {{ ref('sessions') }}

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

-- Sessions that a rule alone decides about: those it has flagged, and those it would flag if it were switched on.
decided as (

    select
        sessions.session_id,
        sessions.started_at,
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
        sessions.started_at,
        sessions.visitor_id,
        sessions.is_bounce,
        sessions.order_count,
        suspected.rule_name
    from sessions
    inner join suspected on sessions.session_id = suspected.session_id
    where sessions.is_counted

)

select * from decided
