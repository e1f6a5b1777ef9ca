-- Messages, and lines and bodies that hold none, that cannot be accepted.
--
-- Takes: decoded.
-- Gives: refused (the columns of the dataset quarantine, with received_us).

create temp table refused as
select
    source_file,
    line_number,
    position,
    reason,
    detail,
    payload,
    received_us,
    file_id,
    event_id,
    schema,
    app_id,
    platform,
    tracker,
    stream_id,
    message_index
from decoded
where reason is not null and reason not in ('unrouted', 'refused_at_edge');
