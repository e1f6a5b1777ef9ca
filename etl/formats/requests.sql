-- Collector lines as requests. A view, so that lines are decoded by all threads, row group by row group.
--
-- Takes: lines (file_id, source_file, line_number, line, line_bytes, line_sha256); macros of macros.sql, query_as_json,
-- read_batch, read_payload, read_kind and without_halves, and those of exports.py.
-- Variables: envelope (what from_json reads of a line), batch_paths, post_path, get_path, first_log_us, last_log_us,
-- longest_host, most_messages, kept_by_clients (answers after which a client tries again).
-- Gives: requests, one row a line: file_id, source_file, line_number, request_id, received_us, ip (as it stands
-- there), blocked (why its messages are excluded), network_id (the collector's own id), privacy (`gpc`, `anonymous`),
-- is_prefetched, collector_host, user_agent, sent_us, protocol (`bloodhound`, `snowplow`, an export's name; null of a
-- request that is for none), items (list of JSON text; null when there is none), query (of a Snowplow GET), line_hash
-- (of Snowplow's lines), line_reason (of quarantine, or `refused_at_edge`, `unrouted`: the request holds no message),
-- line_detail (of those its path), payload.

create or replace temp view requests as
with decoded_lines as (
    select
        *,
        case when line_sha256 is null then try(decode(line)) end as whole
    from lines
),

texts as (
    select
        * exclude (whole),
        unmarked(whole) as text
    from decoded_lines
),

envelopes as (
    select
        *,
        try(from_json(text, getvariable('envelope'))) as envelope
    from texts
),

exports as (
    select
        *,
        -- A request has an id; what has none may be a line of another tracker's.
        case when envelope.request_id is null and envelope is not null then try(export_name(cast(text as json))) end
            as export,
        case when export is not null then try(export_record(export, cast(text as json))) end as exported
    from envelopes
),

routed as (
    select
        *,
        case when export is null then epoch_text_us(envelope.received_at) else export_received_us(export, exported) end
            as stated_us,
        try_cast(envelope.status as integer) as status,
        export is null
        and coalesce(list_contains(getvariable('kept_by_clients'), status) or status between 500 and 599, false)
            as is_refused,
        coalesce(envelope.method = 'GET', false) as is_get,
        case
            when export is not null then export
            when is_refused then null
            when envelope.method = 'POST' and list_contains(getvariable('batch_paths'), envelope.path)
                then 'bloodhound'
            when envelope.method = 'POST' and envelope.path = getvariable('post_path') then 'snowplow'
            when envelope.method = 'GET' and envelope.path = getvariable('get_path') and envelope.query <> ''
                then 'snowplow'
            when envelope.method = 'POST' and contains(envelope.body, 'payload_data')
                then case when contains(read_kind(envelope.body).schema, '/payload_data/') then 'snowplow' end
            when envelope.method = 'POST' and contains(envelope.body, 'messages')
                then case when json_type(read_kind(envelope.body).messages) = 'ARRAY' then 'bloodhound' end
        end as protocol
    from exports
),

judged as (
    select
        *,
        case
            when stated_us between getvariable('first_log_us') and getvariable('last_log_us') then stated_us
        end as received_us,
        case
            when line_sha256 is not null then 'the line has ' || line_bytes || ' bytes; SHA-256 ' || line_sha256
            when text is null then 'not UTF-8'
            when envelope is null then 'not a JSON object'
            when export is not null and received_us is null then 'no time in ' || export
            when export is not null then null
            when coalesce(envelope.request_id, '') = '' then 'request_id is missing'
            when coalesce(envelope.received_at, '') = '' then 'received_at is missing'
            when received_us is null then 'received_at is no time: ' || left(envelope.received_at, 100)
            when coalesce(envelope.path, '') = '' then 'path is missing'
        end as wrong_line,
        case when wrong_line is null and protocol = 'bloodhound' then read_batch(envelope.body) end as batch
    from routed
),

opened as (
    select
        *,
        case
            when wrong_line is not null or protocol is null then null
            when export is not null then [exported]
            when protocol = 'bloodhound' then batch.messages
            when is_get then [cast(query_as_json(envelope.query) as json)]
            else read_payload(envelope.body).data
        end as items,
        case when protocol = 'bloodhound' then 'messages' else 'data' end as list_name
    from judged
)

select
    file_id,
    source_file,
    line_number,
    case when export is null then envelope.request_id else export_request(export, exported) end as request_id,
    received_us,
    case when export is null then nullif(envelope.remote_addr, '') else export_ip(export, exported) end as ip,
    nullif(envelope.blocked, '') as blocked,
    nullif(nullif(envelope.network_id, ''), '-') as network_id,
    nullif(envelope.privacy, '') as privacy,
    coalesce(starts_with(envelope.sec_purpose, 'prefetch'), false) as is_prefetched,
    nullif(lower(left(envelope.host, getvariable('longest_host'))), '') as collector_host,
    case when export is null then nullif(nullif(envelope.user_agent, ''), '-') else export_agent(export, exported) end
        as user_agent,
    case when export is null then iso_us(batch.sent_at) else export_sent_us(export, exported) end as sent_us,
    protocol,
    items,
    case when protocol = 'snowplow' and is_get then envelope.query end as query,
    case when protocol = 'snowplow' then md5(text) end as line_hash,
    case
        when line_sha256 is not null then 'too_large'
        when wrong_line is not null then 'bad_line'
        when is_refused then 'refused_at_edge'
        when protocol is null then 'unrouted'
        when items is null or len(items) > getvariable('most_messages') then 'bad_body'
    end as line_reason,
    case
        when wrong_line is not null then wrong_line
        when protocol is null then left(envelope.path, 200)
        when len(items) > getvariable('most_messages') then 'the list of ' || list_name || ' holds ' || len(items)
        when items is not null then null
        when envelope.body is null then 'the body is missing'
        when
            try(json_type(envelope.body)) is null and try(json_type(without_halves(envelope.body))) is null
            then 'the body is not JSON'
        else 'the body has no list of ' || list_name
    end as line_detail,
    case
        when line_sha256 is not null then coalesce(try(decode(line)), cast(line as varchar))
        when wrong_line is not null then coalesce(text, cast(line as varchar))
        when line_reason = 'bad_body' then coalesce(envelope.body, text)
    end as payload
from opened;
