-- Spend that brought nothing and visits that cost nothing must stay, in every model, or no ratio can be believed.
-- A row is a day and model whose cost, clicks, impressions or sessions are not those of spend and touchpoints.
with models as (

    {{ attribution_models() }}

),

facts as (

    select
        date as fact_date,
        coalesce(reporting_cost, 0) as cost,
        clicks,
        impressions,
        0 as sessions
    from {{ ref('spend') }}
    union all
    select
        touched_date as fact_date,
        0 as cost,
        0 as clicks,
        0 as impressions,
        1 as sessions
    from {{ ref('touchpoints') }}

),

expected as (

    select
        facts.fact_date,
        models.model,
        sum(facts.cost) as cost,
        sum(facts.clicks) as clicks,
        sum(facts.impressions) as impressions,
        sum(facts.sessions) as sessions
    from facts
    cross join models
    group by facts.fact_date, models.model

),

performance as (

    select
        date as fact_date,
        model,
        sum(cost) as cost,
        sum(clicks) as clicks,
        sum(impressions) as impressions,
        sum(sessions) as sessions
    from {{ ref('channel_performance') }}
    group by date, model

),

broken as (

    select
        expected.cost as expected_cost,
        performance.cost,
        coalesce(expected.fact_date, performance.fact_date) as fact_date,
        coalesce(expected.model, performance.model) as model
    from expected
    full join performance
        on
            expected.fact_date = performance.fact_date
            and expected.model = performance.model
    where
        coalesce(expected.cost, 0) is distinct from performance.cost
        or coalesce(expected.clicks, 0) is distinct from performance.clicks
        or coalesce(expected.impressions, 0) is distinct from performance.impressions
        or coalesce(expected.sessions, 0) is distinct from performance.sessions

)

select * from broken
