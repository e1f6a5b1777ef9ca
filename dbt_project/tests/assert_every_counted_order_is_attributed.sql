-- An order that no channel gets is revenue that marketing never sees; a flagged one that is there is a bot's.
-- A row is an order that is in attribution and should not be, or the other way round, in some model.
with attribution as (

    select distinct
        order_id,
        model
    from {{ ref('attribution') }}
    where conversion = 'order'

),

counted_orders as (

    select order_id
    from {{ ref('orders') }}
    where
        not is_bot
        and not is_excluded

),

models as (

    select distinct model from attribution

),

expected as (

    select
        counted_orders.order_id,
        models.model
    from counted_orders
    cross join models

),

-- Without a single model in attribution nothing would be expected: then every counted order is missing.
without_models as (

    select
        counted_orders.order_id,
        'any' as model
    from counted_orders
    where not exists (select 1 from models)

),

broken as (

    select
        coalesce(expected.order_id, attribution.order_id) as order_id,
        coalesce(expected.model, attribution.model) as model
    from expected
    full join attribution
        on
            expected.order_id = attribution.order_id
            and expected.model = attribution.model
    where
        expected.order_id is null
        or attribution.order_id is null
    union all
    select * from without_models

)

select * from broken
