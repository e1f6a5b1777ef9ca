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

-- Streams with an index that came twice: their counter started again.
restarted_streams as (

    select distinct stream_id
    from compared
    where is_repeating

),

-- Without a restart a stream is one run, and its islands are all that need be compared.
single_runs as (

    select
        islands.stream_id,
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

-- The second message of an index begins the next run, and what follows it belongs there too.
numbered as (

    select
        *,
        max(occurrence) over (
            partition by stream_id
            order by island_number, message_index
            rows between unbounded preceding and current row
        ) as run_number
    from occurred

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

preceded as (

    select
        *,
        lag(last_index) over (partition by stream_id, run_number, run_layer order by first_index) as index_before
    from unioned

),

-- After a jump of more than 10,000 the counter stands elsewhere: that is no loss but another run.
final as (

    select
        stream_id,
        run_number,
        run_layer,
        first_index,
        last_index,
        event_date,
        app_id,
        platform,
        tracker,
        started_at,
        last_index - first_index + 1 as received_count,
        case when first_index - index_before <= 10000 then index_before end as index_before,
        coalesce(index_before is not null or run_number > 1 or run_layer > 1, false)
        and coalesce(first_index - index_before > 10000, true) as is_restart
    from preceded

)

select * from final
