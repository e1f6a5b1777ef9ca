with declared as (

    select * from {{ ref('experiments') }}

),

stages as (

    select * from {{ ref('int_experiment_stages') }}

),

entered as (

    select
        experiment,
        variant,
        count(*) as visitors,
        count(*) filter (where is_multiply_exposed) as multiply_exposed,
        min(first_exposed_at) as first_exposed_at,
        max(first_exposed_at) as last_exposed_at
    from {{ ref('int_experiments_entered') }}
    group by experiment, variant

),

seen as (

    select distinct
        experiment,
        variant
    from stages

),

declared_experiments as (

    select distinct experiment from declared

),

-- What was seen and not declared gets equal parts; beside declared variants it should have had nobody.
variants as (

    select
        declared.experiment,
        declared.variant,
        declared.weight,
        declared.is_control
    from declared
    semi join seen on declared.experiment = seen.experiment
    union all
    select
        seen.experiment,
        seen.variant,
        case when declared_experiments.experiment is null then 1.0 else 0.0 end as weight,
        false as is_control
    from seen
    left join declared_experiments on seen.experiment = declared_experiments.experiment
    anti join declared
        on
            seen.experiment = declared.experiment
            and seen.variant = declared.variant

),

ranked as (

    select
        *,
        row_number() over (
            partition by experiment
            order by
                coalesce(is_control, false) desc,
                coalesce(
                    list_position(['control', 'baseline', 'original', 'off', 'a', '0'], lower(variant)), 100
                ),
                variant
        ) as control_rank
    from variants

),

stages_by_variant as (

    select
        experiment,
        variant,
        coalesce(max(visitors) filter (where stage_number = 1), 0) as raw_visitors,
        coalesce(max(visitors) filter (where stage_number = 2), 0) as landed_visitors,
        coalesce(max(visitors) filter (where stage_number = 3), 0) as deduplicated_visitors
    from stages
    group by experiment, variant

),

joined as (

    select
        ranked.experiment,
        ranked.variant,
        cast(ranked.weight as double) as weight,
        entered.first_exposed_at,
        entered.last_exposed_at,
        ranked.control_rank = 1 as is_control,
        coalesce(stages_by_variant.raw_visitors, 0) as raw_visitors,
        coalesce(stages_by_variant.landed_visitors, 0) as landed_visitors,
        coalesce(stages_by_variant.deduplicated_visitors, 0) as deduplicated_visitors,
        coalesce(entered.visitors, 0) as visitors,
        coalesce(entered.multiply_exposed, 0) as multiply_exposed
    from ranked
    left join stages_by_variant
        on
            ranked.experiment = stages_by_variant.experiment
            and ranked.variant = stages_by_variant.variant
    left join entered
        on
            ranked.experiment = entered.experiment
            and ranked.variant = entered.variant

)

select * from joined
