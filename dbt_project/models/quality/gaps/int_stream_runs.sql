with islands as (

    select
        *,
        row_number() over (partition by stream_id order by event_date, island_of_day) as island_number
    from {{ ref('int_stream_islands') }}

),

compared as (

    select
        stream_id,
        first_index <= max(last_index) over (
            partition by stream_id
            order by first_index, last_index
            rows between unbounded preceding and 1 preceding
        ) as is_repeating
    from islands

),

-- Streams with an index that came twice: their counter started again, or a client's session gave it twice.
restarted_streams as (

    select distinct stream_id
    from compared
    where is_repeating

),

-- Without a repeat a stream is one run, and its islands are all that need be compared.
single_runs as (

    select
        islands.stream_id,
        islands.is_client_session,
        islands.event_date,
        islands.app_id,
        islands.platform,
        islands.tracker,
        islands.started_at,
        islands.first_index,
        islands.last_index,
        cast(1 as bigint) as run_number,
        cast(1 as bigint) as run_layer
    from islands
    anti join restarted_streams on islands.stream_id = restarted_streams.stream_id

),

restarted_messages as (

    select
        islands.stream_id,
        islands.is_client_session,
        islands.event_date,
        islands.app_id,
        islands.platform,
        islands.tracker,
        islands.started_at,
        islands.island_number,
        unnest(generate_series(islands.first_index, islands.last_index)) as message_index
    from islands
    semi join restarted_streams on islands.stream_id = restarted_streams.stream_id

),

occurred as (

    select
        *,
        row_number() over (partition by stream_id, message_index order by island_number) as occurrence
    from restarted_messages

),

-- The second message of an index begins the next run, and what follows it belongs there too. A client's session is
-- one run: it has ended when its counter starts again.
numbered as (

    select
        *,
        case when is_client_session then 1 else max(occurrence) over (
            partition by stream_id
            order by island_number, message_index
            rows between unbounded preceding and current row
        ) end as run_number
    from occurred
    where
        not is_client_session
        or occurrence = 1

),

-- Where a run's beginning was lost its first index does not betray it: then its indexes come twice in one run,
-- and the later ones are a run of their own.
layered as (

    select
        *,
        row_number() over (partition by stream_id, run_number, message_index order by island_number) as run_layer
    from numbered

),

unioned as (

    select * from single_runs
    union all
    select
        stream_id,
        is_client_session,
        event_date,
        app_id,
        platform,
        tracker,
        started_at,
        message_index as first_index,
        message_index as last_index,
        run_number,
        run_layer
    from layered

),

followed as (

    select
        *,
        lag(last_index) over (partition by stream_id, run_number, run_layer order by first_index) as last_before
    from unioned

),

-- A client's session begins at 1. Where other streams began before the lake did nobody knows.
preceded as (

    select
        *,
        coalesce(last_before, case when is_client_session then least(first_index - 1, 0) end) as index_before,
        case
            when last_before is null and not is_client_session and run_number = 1 and run_layer = 1 then first_index
        end as unknown_head
    from followed

),

-- After a jump of more than 10,000 the counter stands elsewhere: that is no loss but another run.
final as (

    select
        stream_id,
        is_client_session,
        run_number,
        run_layer,
        first_index,
        last_index,
        event_date,
        app_id,
        platform,
        tracker,
        started_at,
        unknown_head,
        last_index - first_index + 1 as received_count,
        case when first_index - index_before <= 10000 then index_before end as index_before,
        not is_client_session
        and coalesce(index_before is not null or run_number > 1 or run_layer > 1, false)
        and coalesce(first_index - index_before > 10000, true) as is_restart
    from preceded

)

select * from final
