{{ config(materialized='in_place_view') }}

with spend as (

    select * from {{ ref('spend') }}

),

spend_rows as (

    select * from {{ ref('int_spend_chosen') }}
    where is_chosen

),

touchpoints as (

    select * from {{ ref('touchpoints') }}

),

declared as (

    select * from {{ ref('int_conversions_declared') }}

),

orders as (

    select * from {{ ref('int_orders_chosen') }}

),

quarantine as (

    select * from {{ ref('stg_lake__quarantine') }}
    where starts_with(source_file, 'spend/')

),

unconverted as (

    select
        'spend' as scope,
        'cost' as amount_name,
        currency
    from spend
    where reporting_cost is null
    union all
    select
        'declared conversions' as scope,
        'value' as amount_name,
        currency
    from declared
    where
        reporting_value is null
        and value is not null
    union all
    select
        'orders' as scope,
        'revenue' as amount_name,
        currency
    from orders
    where
        reporting_revenue is null
        and revenue is not null

),

scopes as (

    select unnest(['spend', 'declared conversions', 'orders']) as scope

),

rate_checks as (

    select
        'currency_rates' as check_name,
        scopes.scope,
        cast(count(unconverted.scope) as double) as check_value,
        cast(0 as double) as threshold,
        case when count(unconverted.scope) > 0 then 'error' else 'ok' end as status,
        'No rate to {{ var("reporting_currency") }} for '
        || string_agg(distinct unconverted.currency, ', ' order by unconverted.currency)
        || ': their ' || min(unconverted.amount_name)
        || ' is not added, and unknown where there is nothing else. Put rates into'
        || ' dbt_project/seeds/currency_rates.csv, or set reporting_currency in conf/bloodhound.toml' as hint
    from scopes
    left join unconverted on scopes.scope = unconverted.scope
    group by scopes.scope

),

spend_checks as (

    select
        'spend_readable' as check_name,
        'spend files' as scope,
        cast(count(*) as double) as check_value,
        cast(0 as double) as threshold,
        case when count(*) > 0 then 'warn' else 'ok' end as status,
        cast(null as varchar) as hint
    from quarantine

),

heard as (

    select
        min(touched_date) as first_day,
        max(touched_date) as last_day
    from touchpoints

),

visited as (

    select distinct
        source,
        medium,
        campaign,
        true as is_visited
    from touchpoints

),

-- Ads that nobody clicked bring nobody, and before the first visit nobody was counted.
clicked as (

    select
        min(spend_rows.source) as source,
        min(spend_rows.medium) as medium,
        min(spend_rows.campaign) as campaign,
        sum(spend_rows.cost) as cost
    from spend_rows
    inner join heard on spend_rows.spend_date between heard.first_day and heard.last_day
    where
        spend_rows.cost > 0
        and (spend_rows.clicks is null or spend_rows.clicks > 0)
    group by lower(spend_rows.source), lower(spend_rows.medium), lower(spend_rows.campaign)

),

unmet as (

    select
        clicked.cost,
        concat_ws(
            ' / ', coalesce(clicked.source, '(none)'), coalesce(clicked.medium, '(none)'), clicked.campaign
        ) as campaign_name,
        row_number() over (
            order by clicked.cost desc, clicked.source asc, clicked.medium asc, clicked.campaign asc
        ) as cost_rank
    from clicked
    left join visited
        on {{ is_same_campaign('clicked', 'visited') }}
    where visited.is_visited is null

),

visit_checks as (

    select
        'spend_without_visits' as check_name,
        'campaigns' as scope,
        cast(count(*) as double) as check_value,
        cast(0 as double) as threshold,
        case when count(*) > 0 then 'warn' else 'ok' end as status,
        'No visit names what was paid for: '
        || string_agg(campaign_name, ', ' order by cost_rank) filter (where cost_rank <= 3)
        || case when count(*) > 3 then ', …' else '' end
        || '; write the links'' utm_source, utm_medium and utm_campaign as the spend has them' as hint
    from unmet

),

unioned as (

    select * from rate_checks
    union all
    select * from spend_checks
    union all
    select * from visit_checks

)

select * from unioned
