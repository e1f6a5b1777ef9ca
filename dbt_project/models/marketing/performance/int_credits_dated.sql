{{ config(materialized='ephemeral') }}

with attribution as (

    select * from {{ ref('attribution') }}
    where conversion = 'order'

),

ways as (

    select unnest(['touch', 'order']) as dated_by

),

dated as (

    select
        attribution.model,
        attribution.channel,
        attribution.source,
        attribution.medium,
        attribution.campaign,
        attribution.credit,
        attribution.revenue_credit,
        attribution.is_unrated,
        ways.dated_by,
        {{ utc_date("case ways.dated_by when 'touch' then attribution.touched_at else attribution.ordered_at end") }}
            as credit_date
    from attribution
    cross join ways

)

select * from dated
