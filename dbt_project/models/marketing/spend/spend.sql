with spend as (

    select * from {{ ref('int_spend_chosen') }}
    where is_chosen

),

rates as (

    select * from {{ ref('int_currency_rates_dated') }}

),

channels as (

    select * from {{ ref('int_channels_grouped') }}

),

-- A campaign has one spelling, that of its last day, whatever its rows write.
spelt as (

    select
        spend_date,
        impressions,
        clicks,
        cost,
        currency,
        source_file,
        first_value(source) over one_campaign as source,
        first_value(medium) over one_campaign as medium,
        first_value(campaign) over one_campaign as campaign
    from spend
    window one_campaign as (
        partition by lower(source), lower(medium), lower(campaign)
        order by spend_date desc, line_number asc
        rows between unbounded preceding and unbounded following
    )

),

summed as (

    select
        spend_date,
        source,
        medium,
        campaign,
        currency,
        cast(coalesce(sum(impressions), 0) as bigint) as impressions,
        cast(coalesce(sum(clicks), 0) as bigint) as clicks,
        cast(sum(cost) as decimal(38, 6)) as cost,
        min(source_file) as source_file,
        count(*) as row_count
    from spelt
    group by spend_date, source, medium, campaign, currency

),

final as (

    select
        summed.spend_date as date,
        channels.channel,
        summed.source,
        summed.medium,
        summed.campaign,
        summed.currency,
        summed.impressions,
        summed.clicks,
        summed.cost,
        cast(cast(summed.cost as decimal(20, 6)) * rates.rate as decimal(38, 6)) as reporting_cost,
        summed.row_count,
        summed.source_file
    from summed
    left join channels
        on
            summed.source is not distinct from channels.source
            and summed.medium is not distinct from channels.medium
            and summed.campaign is not distinct from channels.campaign
    left join rates
        on
            summed.currency = rates.currency
            and summed.spend_date >= rates.valid_from
            and summed.spend_date < rates.valid_until

)

select * from final
