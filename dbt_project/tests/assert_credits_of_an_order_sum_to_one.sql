-- Marketing adds credits up: an order that counts more or less than once falsifies every channel's share.
-- A row is a conversion and model whose credits do not sum to one.
with conversions as (

    select * from {{ ref('conversions') }}

),

attribution as (

    select * from {{ ref('attribution') }}

),

models as (

    {{ attribution_models() }}

),

summed as (

    select
        conversion,
        conversion_id,
        model,
        sum(credit) as credit
    from attribution
    group by conversion, conversion_id, model

),

broken as (

    select
        conversions.conversion,
        conversions.conversion_id,
        models.model,
        summed.credit
    from conversions
    cross join models
    left join summed
        on
            conversions.conversion = summed.conversion
            and conversions.conversion_id = summed.conversion_id
            and models.model = summed.model
    where summed.credit is distinct from 1

)

select * from broken
