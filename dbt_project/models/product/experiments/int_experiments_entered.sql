with sessions as (

    select
        session_id,
        person_id,
        is_counted
    from {{ ref('sessions') }}

),

exposures as (

    select
        exposures.experiment,
        exposures.variant,
        exposures.event_at,
        exposures.event_id,
        coalesce(sessions.person_id, exposures.user_id, exposures.visitor_id) as person_id
    from {{ ref('int_experiment_exposures') }} as exposures
    left join sessions on exposures.session_id = sessions.session_id
    where coalesce(sessions.is_counted, not exposures.is_bot and not exposures.is_excluded)

),

-- The first exposure decides: whoever sees another variant later was still assigned to the first.
entered as (

    select
        experiment,
        person_id,
        arg_min(variant, (event_at, event_id)) as variant,
        min(event_at) as first_exposed_at,
        count(distinct variant) > 1 as is_multiply_exposed
    from exposures
    group by experiment, person_id

)

select * from entered
