-- Sessions: to which session each accepted message belongs, and which sessions the day leaves open.
--
-- A session starts after more than $gap_us without a session event, or at a page view whose campaign differs from
-- that of the session's latest, but not within the millisecond in which a session starts. Messages of platforms
-- without sessions belong to the visitor's latest-started session that is open then.
--
-- Takes: accepted, visitors, open_sessions (of the day before).
-- Gives: event_sessions (session_event_number is null of what is no session event), left_open: the sessions that an
-- event after $end_us could still extend.

-- Runs: session events without a gap between them. What was left open is their first event, with all before it.
create table runs as
with session_events as (
    select
        visitor,
        event_us,
        tie,
        campaign_key,
        file_id,
        message_ref,
        cast(null as bigint) as opened_us,
        cast(1 as bigint) as weight
    from accepted
    where is_session_event
    union all
    select
        visitors.visitor,
        open_sessions.last_us as event_us,
        -1 as tie,
        open_sessions.campaign_key,
        null as file_id,
        null as message_ref,
        open_sessions.session_start_us as opened_us,
        open_sessions.session_event_number as weight
    from open_sessions
    inner join visitors on open_sessions.visitor_id = visitors.visitor_id
),

paused as (
    select
        *,
        coalesce(event_us - lag(event_us) over visits > $gap_us, true) as is_gap,
        row_number() over visits as visit_number
    from session_events
    window visits as (partition by visitor order by event_us, tie)
)

select
    * exclude (visit_number),
    last_value(case when is_gap then coalesce(opened_us, event_us) end ignore nulls) over visits as run_start_us,
    visit_number
    - last_value(case when is_gap then visit_number - weight end ignore nulls) over visits as run_event_number
from paused
window visits as (partition by visitor order by event_us, tie);

-- Splits: page views that start a session within a run.
create table splits as
with tagged as (
    select
        *,
        lag(campaign_key) over (partition by visitor, run_start_us order by event_us, tie) as campaign_key_before
    from runs
    where campaign_key is not null
),

candidates as (
    select
        *,
        event_us // 1000 as event_ms
    from tagged
    where campaign_key <> campaign_key_before and event_us // 1000 <> run_start_us // 1000
)

select
    visitor,
    file_id,
    message_ref
from candidates
qualify row_number() over (partition by visitor, run_start_us, event_ms order by event_us, tie) = 1;

-- Few visitors change their campaign within a run: only theirs are put in order again.
create table placed as
with started as (
    select
        runs.visitor,
        runs.event_us,
        runs.tie,
        runs.campaign_key,
        runs.file_id,
        runs.message_ref,
        runs.weight,
        case
            when runs.is_gap then coalesce(runs.opened_us, runs.event_us)
            when splits.file_id is not null then runs.event_us
        end as start_us
    from runs
    left join splits on runs.file_id = splits.file_id and runs.message_ref = splits.message_ref
    where runs.visitor in (select more.visitor from splits as more)
),

cut as (
    select
        *,
        last_value(start_us ignore nulls) over (partition by visitor order by event_us, tie) as session_start_us
    from started
)

select
    visitor,
    event_us,
    campaign_key,
    file_id,
    message_ref,
    run_start_us as session_start_us,
    run_event_number as session_event_number
from runs
where visitor not in (select splits.visitor from splits)
union all
select
    visitor,
    event_us,
    campaign_key,
    file_id,
    message_ref,
    session_start_us,
    cast(sum(weight) over (partition by visitor, session_start_us order by event_us, tie) as bigint)
        as session_event_number
from cut;

drop table runs;

create table event_sessions as
with asking as (
    select visitor from accepted
    where not is_session_event
),

sessions as (
    select
        visitor,
        session_start_us,
        max(event_us) as last_us
    from placed
    where visitor in (select asking.visitor from asking)
    group by visitor, session_start_us
)

select
    file_id,
    message_ref,
    session_start_us,
    cast(session_event_number as integer) as session_event_number
from placed
where file_id is not null
union all
select
    accepted.file_id,
    accepted.message_ref,
    case when accepted.event_us <= sessions.last_us + $gap_us then sessions.session_start_us end as session_start_us,
    cast(null as integer) as session_event_number
from accepted
asof left join sessions
    on accepted.visitor = sessions.visitor and accepted.event_us >= sessions.session_start_us
where not accepted.is_session_event;

create table left_open as
with late as (
    select visitor from placed
    where event_us + $gap_us >= $end_us
),

latest as (
    select
        visitor,
        session_start_us,
        max(event_us) as last_us,
        arg_max(campaign_key, session_event_number) filter (where campaign_key is not null) as campaign_key,
        max(session_event_number) as session_event_number
    from placed
    where visitor in (select late.visitor from late)
    group by visitor, session_start_us
    having max(event_us) + $gap_us >= $end_us
    qualify row_number() over (partition by visitor order by session_start_us desc) = 1
)

select
    visitors.visitor_id,
    latest.session_start_us,
    latest.last_us,
    latest.campaign_key,
    latest.session_event_number
from latest
inner join visitors on latest.visitor = visitors.visitor;
