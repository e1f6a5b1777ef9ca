{{ config(materialized='in_place_view') }}

with spend as (

    select * from {{ ref('spend') }}

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
        || ' is not added; put rates into seeds/currency_rates.csv' as hint
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

unioned as (

    select * from rate_checks
    union all
    select * from spend_checks

)

select * from unioned
