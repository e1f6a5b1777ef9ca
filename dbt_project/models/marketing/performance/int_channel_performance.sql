with models as (

    {{ attribution_models() }}

),

touchpoints as (

    select * from {{ ref('touchpoints') }}

),

spend as (

    select * from {{ ref('spend') }}

),

ways as (

    select unnest(['touch', 'order']) as dated_by

),

credits as (

    select * from {{ ref('int_credits_dated') }}

),

-- Sessions and spend are facts of their own: they stand in every model, whether or not anything came of them.
facts as (

    select
        touched_date as fact_date,
        channel,
        source,
        medium,
        campaign,
        count(*) as sessions,
        0 as impressions,
        0 as clicks,
        cast(0 as decimal(38, 6)) as cost,
        0 as unconverted_spend_count
    from touchpoints
    group by touched_date, channel, source, medium, campaign
    union all
    select
        date as fact_date,
        channel,
        source,
        medium,
        campaign,
        0 as sessions,
        sum(impressions) as impressions,
        sum(clicks) as clicks,
        coalesce(sum(reporting_cost), 0) as cost,
        count(*) filter (where reporting_cost is null) as unconverted_spend_count
    from spend
    group by date, channel, source, medium, campaign

),

-- What the links call a campaign stands with what was paid for it, in the spelling of the spend.
spellings as (

    select distinct
        source,
        medium,
        campaign
    from spend

),

parts as (

    select
        ways.dated_by,
        facts.fact_date,
        models.model,
        facts.channel,
        facts.source,
        facts.medium,
        facts.campaign,
        facts.sessions,
        facts.impressions,
        facts.clicks,
        facts.cost,
        facts.unconverted_spend_count,
        cast(0 as decimal(18, 15)) as credit,
        cast(0 as decimal(18, 4)) as revenue_credit,
        cast(null as boolean) as is_unrated
    from facts
    cross join models
    cross join ways
    union all
    select
        dated_by,
        credit_date as fact_date,
        model,
        channel,
        source,
        medium,
        campaign,
        0 as sessions,
        0 as impressions,
        0 as clicks,
        cast(0 as decimal(38, 6)) as cost,
        0 as unconverted_spend_count,
        -- Decimals add up to the same in any order; fractions would not.
        cast(credit as decimal(18, 15)) as credit,
        revenue_credit,
        is_unrated
    from credits

),

spelt as (

    select
        parts.dated_by,
        parts.fact_date,
        parts.model,
        parts.channel,
        parts.sessions,
        parts.impressions,
        parts.clicks,
        parts.cost,
        parts.unconverted_spend_count,
        parts.credit,
        parts.revenue_credit,
        parts.is_unrated,
        coalesce(spellings.source, parts.source) as source,
        coalesce(spellings.medium, parts.medium) as medium,
        coalesce(spellings.campaign, parts.campaign) as campaign
    from parts
    left join spellings
        on {{ is_same_campaign('parts', 'spellings') }}

),

summed as (

    select
        dated_by,
        fact_date,
        model,
        channel,
        source,
        medium,
        campaign,
        cast(sum(sessions) as bigint) as sessions,
        cast(sum(impressions) as bigint) as impressions,
        cast(sum(clicks) as bigint) as clicks,
        cast(sum(cost) as decimal(38, 6)) as cost,
        cast(sum(credit) as double) as conversions,
        cast({{ known_sum('revenue_credit', 'is_unrated') }} as decimal(38, 4)) as revenue,
        not coalesce(bool_or(is_unrated), false) as is_revenue_complete,
        sum(unconverted_spend_count) = 0 as is_cost_complete,
        -- A ratio to a part of the cost would flatter the campaign.
        case when sum(unconverted_spend_count) = 0 then cast(sum(cost) as decimal(38, 6)) end as complete_cost
    from spelt
    group by dated_by, fact_date, model, channel, source, medium, campaign

),

final as (

    select
        dated_by,
        fact_date as date,
        model,
        channel,
        source,
        medium,
        campaign,
        sessions,
        impressions,
        clicks,
        cost,
        is_cost_complete,
        conversions,
        revenue,
        is_revenue_complete,
        {{ rate('clicks', 'impressions') }} as click_through_rate,
        {{ rate('complete_cost', 'clicks') }} as cost_per_click,
        {{ rate('complete_cost', 'sessions') }} as cost_per_session,
        {{ rate('complete_cost', 'conversions') }} as cost_per_acquisition,
        {{ rate('revenue', 'complete_cost') }} as return_on_ad_spend
    from summed

)

select * from final
