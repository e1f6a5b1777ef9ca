-- The messages that people asked to be thrown out, accepted or not, and those of days on which some clock was wrong.
--
-- Takes: messages, event_sessions, rules (networks as the addresses that lie in them),
-- strays (days of receipt that stand alone).
-- Gives: excluded (file_id, message_ref).

create table claims as
select
    messages.file_id,
    messages.message_ref,
    messages.event_at,
    rules.since,
    rules.until
from messages
inner join rules on rules.kind = 'visitor' and messages.visitor_id = rules.value
union all
select
    messages.file_id,
    messages.message_ref,
    messages.event_at,
    rules.since,
    rules.until
from messages
inner join rules on rules.kind = 'user' and messages.user_id = rules.value
union all
select
    messages.file_id,
    messages.message_ref,
    messages.event_at,
    rules.since,
    rules.until
from messages
inner join rules on rules.kind = 'ip' and messages.ip = rules.value
union all
select
    messages.file_id,
    messages.message_ref,
    messages.event_at,
    rules.since,
    rules.until
from messages
inner join event_sessions
    on messages.file_id = event_sessions.file_id and messages.message_ref = event_sessions.message_ref
inner join rules
    on
        rules.kind = 'session'
        and messages.visitor_id || '-' || (event_sessions.session_start_us // 1000) = rules.value;

create table excluded as
select
    file_id,
    message_ref
from claims
where (since is null or event_at >= since) and (until is null or event_at < until)
union
select
    messages.file_id,
    messages.message_ref
from messages
inner join strays
    on
        messages.is_access = strays.is_access
        and cast(make_timestamp(epoch_us(messages.received_at)) as date) = strays.received_date;
