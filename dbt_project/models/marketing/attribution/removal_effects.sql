with markov_shares as (

    select * from {{ ref('int_markov_shared') }}

),

channel_sets as (

    select * from {{ ref('int_markov_channel_sets') }}

),

months as (

    select
        conversion,
        conversion_month,
        cast(sum(conversion_count) as bigint) as conversions
    from channel_sets
    group by conversion, conversion_month

),

effects as (

    select distinct
        conversion,
        conversion_month,
        channel,
        removal_effect
    from markov_shares

),

final as (

    select
        effects.conversion,
        effects.conversion_month as month,
        effects.channel,
        months.conversions,
        effects.removal_effect,
        effects.removal_effect
        / sum(effects.removal_effect) over (
            partition by effects.conversion, effects.conversion_month
            order by effects.channel
            rows between unbounded preceding and unbounded following
        ) as credit_share
    from effects
    inner join months
        on
            effects.conversion = months.conversion
            and effects.conversion_month = months.conversion_month

)

select * from final
