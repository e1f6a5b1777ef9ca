with quarantine as (

    select
        reason,
        case when json_valid(payload) then payload end as payload_json
    from {{ ref('stg_lake__quarantine') }}
    where
        contains(payload, '"exp')
        and reason <> 'sealed'

),

-- What a refused message said, in any version's words. Those with another's id were valid, and are among the messages.
refused as (

    select
        coalesce(payload_json ->> '$.data.experiment', payload_json ->> '$.d.e') as experiment,
        coalesce(payload_json ->> '$.data.variant', payload_json ->> '$.d.v') as variant,
        coalesce(payload_json ->> '$.visitor_id', payload_json ->> '$.uid') as visitor_id
    from quarantine
    where
        reason <> 'id_collision'
        and coalesce(payload_json ->> '$.schema', payload_json ->> '$.type') in ('experiment_exposure', 'exp')

),

landed as (

    select
        experiment,
        variant,
        visitor_id
    from {{ ref('int_exposures_landed') }}

),

deduplicated as (

    select
        experiment,
        variant,
        visitor_id
    from {{ ref('int_experiment_exposures') }}

),

staged as (

    select
        1 as stage_number,
        'raw' as stage,
        *
    from refused
    union all
    select
        1 as stage_number,
        'raw' as stage,
        *
    from landed
    union all
    select
        2 as stage_number,
        'landed' as stage,
        *
    from landed
    union all
    select
        3 as stage_number,
        'deduplicated' as stage,
        *
    from deduplicated
    union all
    select
        4 as stage_number,
        'bots out' as stage,
        experiment,
        variant,
        person_id as visitor_id
    from {{ ref('int_experiments_entered') }}

),

counted as (

    select
        stage_number,
        stage,
        trim(experiment) as experiment,
        trim(variant) as variant,
        count(distinct visitor_id) as visitors
    from staged
    where
        trim(experiment) <> ''
        and trim(variant) <> ''
    group by all

)

select * from counted
