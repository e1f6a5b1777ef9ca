-- Events and sessions are built by different stages: an event whose session is missing has left every mart.
-- A row is a session id on one side only, among the days of this run of which no rows are kept for good.
with events as (

    select distinct session_id
    from {{ ref('stg_lake__events') }}
    where
        session_id is not null
        and {{ built_sessions() }}
        and not {{ is_kept('session_date') }}

),

sessions as (

    select session_id
    from {{ ref('sessions') }}
    where
        {{ built_days('session_date') }}
        and not {{ is_kept('session_date') }}

),

broken as (

    select
        events.session_id as event_session_id,
        sessions.session_id
    from events
    full join sessions on events.session_id = sessions.session_id
    where events.session_id is distinct from sessions.session_id

)

select * from broken
