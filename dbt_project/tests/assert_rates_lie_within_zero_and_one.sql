-- A share above one or below zero is a join that multiplied or lost rows.
-- A row is a day with an impossible rate.
with kpi_daily as (

    select * from {{ ref('kpi_daily') }}

),

broken as (

    select
        date,
        bounce_rate,
        conversion_rate,
        completeness
    from kpi_daily
    where
        bounce_rate not between 0 and 1
        or conversion_rate not between 0 and 1
        or completeness not between 0 and 1

)

select * from broken
