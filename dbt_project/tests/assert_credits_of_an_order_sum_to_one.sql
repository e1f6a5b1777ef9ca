-- Marketing adds credits up: an order that counts more or less than once falsifies every channel's share.
-- A row is an order and model whose credits do not sum to one.
with attribution as (

    select * from {{ ref('attribution') }}

),

summed as (

    select
        order_id,
        model,
        sum(credit) as credit
    from attribution
    group by order_id, model

),

broken as (

    select * from summed
    where round(credit, 9) is distinct from 1

)

select * from broken
