with read_names as (

    select * from {{ ref('int_probes_heard') }}

),

event_counts as (

    select * from {{ ref('stg_lake__event_counts') }}
    where app_id = '{{ var("probe_app_id") }}'

),

resent as (

    select
        tracker,
        sum(resent_count) as resent_count
    from event_counts
    group by tracker

),

runs as (

    select
        run_id,
        kinds,
        make_timestamptz(cast(split_part(run_id, '-', 1) as bigint) * 1000) as sent_at
    from read_names
    group by run_id, kinds
    -- What was received before it was sent is somebody's invention.
    having sent_at <= min(received_at) + interval 1 second

),

sent as (

    select
        run_id,
        kinds,
        sent_at,
        cast(unnest(generate_series(1, length(kinds))) as integer) as message_number
    from runs

),

expected as (

    select
        *,
        substr(kinds, message_number, 1) as kind,
        case substr(kinds, message_number, 1)
            when 'g' then 'missing_key'
            when 'h' then 'hit'
            else 'accepted'
        end as expected_outcome
    from sent

),

looked_for as (

    select
        expected.run_id,
        expected.kinds,
        expected.sent_at,
        expected.message_number,
        expected.kind,
        expected.expected_outcome,
        count(read_names.run_id) as heard_count,
        string_agg(distinct read_names.outcome, ', ' order by read_names.outcome) as outcomes,
        min(read_names.received_at) as received_at,
        coalesce(bool_and(
            read_names.outcome = expected.expected_outcome
            and (read_names.outcome = 'missing_key' or read_names.digest = read_names.content_digest)
        ), false) as is_as_sent,
        coalesce(bool_or(read_names.outcome = 'event without page view'), false) as lacks_page_view,
        coalesce(any_value(resent.resent_count), 0) as resent_count
    from expected
    left join read_names
        on
            expected.run_id = read_names.run_id
            and expected.kinds = read_names.kinds
            and expected.message_number = read_names.message_number
    left join resent on resent.tracker = 'bh-probe/' || expected.run_id
    group by all

),

judged as (

    select
        *,
        epoch(received_at) - epoch(sent_at) as late_seconds,
        case kind
            when 'a' then 'version 3'
            when 'b' then 'version 2'
            when 'c' then 'version 1'
            when 'd' then 'Snowplow GET'
            when 'e' then 'Snowplow POST'
            when 'f' then 'sent twice'
            when 'g' then 'invalid'
            when 'h' then 'pixel'
        end as kind_name,
        case when kind = 'f' then 'accepted, duplicate' else expected_outcome end as expected_outcomes,
        case
            when kind = 'f' and resent_count > 0 and heard_count > 0 then outcomes || ', duplicate'
            else outcomes
        end as found_outcomes,
        case
            when heard_count = 0 or lacks_page_view then 'lost'
            when not is_as_sent then 'changed'
            when kind = 'f' and resent_count = 0 then 'lost'
            when epoch(received_at) - epoch(sent_at) > {{ var("probe_late_seconds") }} then 'late'
            else 'found'
        end as status
    from looked_for

),

final as (

    select
        run_id,
        kinds as run_kinds,
        message_number,
        kind_name as kind,
        expected_outcomes as expected,
        found_outcomes as found_as,
        status,
        sent_at,
        received_at,
        late_seconds
    from judged

)

select * from final
