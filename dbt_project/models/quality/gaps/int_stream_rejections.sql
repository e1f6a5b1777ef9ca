{{ config(materialized='in_place_view') }}

with runs as (

    select * from {{ ref('int_stream_runs') }}

),

refused as (

    select distinct
        stream_id,
        message_index,
        received_at
    from {{ ref('stg_lake__quarantine') }}
    where
        stream_id is not null
        and message_index is not null
        and received_at is not null
        and reason <> 'sealed'

),

starts as (

    select
        stream_id,
        started_at,
        max((run_number, run_layer)) as latest_run,
        min((run_number, run_layer)) as earliest_run
    from runs
    group by stream_id, started_at

),

-- The run that was going on when the refused message arrived, and the one that came next.
placed_before as (

    select
        refused.stream_id,
        refused.message_index,
        refused.received_at,
        starts.latest_run[1] as run_number,
        starts.latest_run[2] as run_layer,
        1 as preference
    from refused
    asof join starts
        on
            refused.stream_id = starts.stream_id
            and refused.received_at >= starts.started_at

),

placed_after as (

    select
        refused.stream_id,
        refused.message_index,
        refused.received_at,
        starts.earliest_run[1] as run_number,
        starts.earliest_run[2] as run_layer,
        2 as preference
    from refused
    asof join starts
        on
            refused.stream_id = starts.stream_id
            and refused.received_at <= starts.started_at

),

candidates as (

    select * from placed_before
    union all
    select * from placed_after

),

-- The message that comes next by its index: if there is one before it too, the refused message lies in a gap.
enclosed as (

    select
        candidates.stream_id,
        candidates.message_index,
        candidates.received_at,
        candidates.preference,
        runs.run_number,
        runs.run_layer,
        runs.event_date,
        runs.app_id,
        runs.platform,
        runs.tracker,
        runs.first_index,
        runs.index_before
    from candidates
    asof join runs
        on
            candidates.stream_id = runs.stream_id
            and candidates.run_number = runs.run_number
            and candidates.run_layer = runs.run_layer
            and candidates.message_index <= runs.last_index

),

in_gaps as (

    select *
    from enclosed
    where
        message_index < first_index
        and message_index > index_before
    qualify row_number() over (partition by stream_id, message_index, received_at order by preference) = 1

),

final as (

    select
        stream_id,
        run_number,
        run_layer,
        message_index,
        min(event_date) as event_date,
        min(app_id) as app_id,
        min(platform) as platform,
        min(tracker) as tracker
    from in_gaps
    group by stream_id, run_number, run_layer, message_index

)

select * from final
