{{ config(materialized='ephemeral') }}

with probes as (

    select * from {{ ref('probes') }}

),

-- The latest run speaks: one that came through whole says that the way is open again.
latest_probe as (

    select *
    from probes
    qualify
        dense_rank() over (
            order by sent_at desc, run_id desc, run_kinds desc
        ) = 1

),

checks as (

    select
        'probe' as check_name,
        cast(case when count(*) > 0 then count(*) filter (where status in ('lost', 'changed')) end as double)
            as check_value,
        cast(0 as double) as threshold,
        coalesce('run ' || any_value(run_id), 'all') as scope,
        case
            when count(*) = 0 then 'unknown'
            when count(*) filter (where status in ('lost', 'changed')) > 0 then 'error'
            when count(*) filter (where status = 'late') > 0 then 'warn'
            else 'ok'
        end as status,
        case
            when count(*) filter (where status <> 'found') > 0
                then
                    'See quality.probes: '
                    || string_agg(kind || ' ' || status, ', ' order by message_number)
                    filter (where status <> 'found')
        end as hint
    from latest_probe

)

select * from checks
