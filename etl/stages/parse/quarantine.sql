-- What is refused, as it is kept.
--
-- Takes: refused.
-- Gives: quarantined (the columns of the dataset quarantine).

create temp view quarantined as
select -- noqa: ST06
    source_file,
    line_number,
    position,
    reason,
    detail,
    payload,
    cast(null as varchar) as payload_key,
    case when received_us is not null then make_timestamptz(received_us) end as received_at,
    file_id,
    event_id,
    schema,
    app_id,
    platform,
    tracker,
    stream_id,
    message_index
from refused;
