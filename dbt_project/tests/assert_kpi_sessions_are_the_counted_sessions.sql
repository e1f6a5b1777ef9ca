-- The executives' total must be the analysts': days add up to exactly the sessions that count.
-- A row is a pair of totals that differ.
with kpi_daily as (

    select coalesce(sum(sessions), 0) as session_count
    from {{ ref('kpi_daily') }}

),

sessions as (

    select count(*) as session_count
    from {{ ref('int_sessions_flagged') }}
    where is_counted

),

broken as (

    select
        kpi_daily.session_count as kpi_session_count,
        sessions.session_count
    from kpi_daily
    cross join sessions
    where kpi_daily.session_count is distinct from sessions.session_count

)

select * from broken
