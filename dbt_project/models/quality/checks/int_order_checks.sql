{{ config(materialized='ephemeral') }}

with orders as (

    select * from {{ ref('int_orders_chosen') }}

),

order_events as (

    select * from {{ ref('int_order_events') }}

),

checks as (

    select
        'orders_with_id' as check_name,
        'order events' as scope,
        cast(count(*) filter (where order_id is null) as double) as check_value,
        cast(0 as double) as threshold,
        case when count(*) filter (where order_id is null) > 0 then 'warn' else 'ok' end as status,
        cast(null as varchar) as hint
    from order_events
    union all
    select
        'orders_with_revenue' as check_name,
        'orders' as scope,
        cast(count(*) filter (where revenue is null) as double) as check_value,
        cast(0 as double) as threshold,
        case when count(*) filter (where revenue is null) > 0 then 'warn' else 'ok' end as status,
        cast(null as varchar) as hint
    from orders

)

select * from checks
