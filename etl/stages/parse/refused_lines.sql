-- Lines of web servers' logs that cannot be read.
--
-- Takes: logged.
-- Gives: refused (the columns of the dataset quarantine, with received_us).

create temp table refused as
select
    source_file,
    line_number,
    cast(null as integer) as position,
    reason,
    detail,
    payload,
    received_us,
    file_id,
    cast(null as varchar) as event_id,
    cast(null as varchar) as schema,
    cast(null as varchar) as app_id,
    cast(null as varchar) as platform,
    cast(null as varchar) as tracker,
    cast(null as varchar) as stream_id,
    cast(null as bigint) as message_index
from logged
where reason is not null;
