with tested as (

    select * from {{ ref('int_experiments_tested') }}

),

arms as (

    select * from {{ ref('int_experiment_arms') }}

),

periods as (

    select
        experiment,
        min(first_exposed_at) as first_exposed_at,
        max(last_exposed_at) as last_exposed_at
    from arms
    group by experiment

),

final as (

    select
        tested.experiment,
        tested.metric,
        tested.variant,
        tested.control,
        tested.visitors,
        tested.control_visitors,
        tested.value,
        tested.control_value,
        tested.lift,
        tested.lift_low,
        tested.lift_high,
        tested.p_value,
        tested.always_valid_low,
        tested.always_valid_high,
        tested.always_valid_p_value,
        tested.cuped_lift,
        tested.cuped_lift_low,
        tested.cuped_lift_high,
        tested.cuped_p_value,
        tested.cuped_variance_reduction,
        tested.srm_p_value,
        tested.srm_raw_p_value,
        tested.srm_landed_p_value,
        tested.srm_deduplicated_p_value,
        tested.srm_stage,
        tested.multiple_exposure_share,
        periods.first_exposed_at,
        periods.last_exposed_at,
        tested.role,
        tested.minimal_lift,
        tested.detectable_lift,
        tested.power,
        tested.visitors_needed,
        tested.guardrail,
        {{ seconds_between('periods.first_exposed_at', 'periods.last_exposed_at') }} / 86400.0 as duration_days,
        {{ seconds_between('periods.first_exposed_at', 'periods.last_exposed_at') }} / 86400.0
        * tested.visitors_needed / nullif(tested.visitors + tested.control_visitors, 0) as days_needed,
        coalesce(tested.multiple_exposure_share > 0.01, false) as has_multiple_exposures,
        -- People look at experiments every day: only the interval that holds on every day decides.
        case
            when tested.srm_p_value < 0.001 then 'sample ratio mismatch'
            when tested.always_valid_low is null then 'unknown'
            when tested.always_valid_low > 0 then 'higher'
            when tested.always_valid_high < 0 then 'lower'
            else 'undecided'
        end as verdict
    from tested
    left join periods on tested.experiment = periods.experiment

)

select * from final
