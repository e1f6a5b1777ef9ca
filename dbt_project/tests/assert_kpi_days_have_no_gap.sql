-- A day without a row reads as a day that nobody asked about; it must read as zero.
-- A row is a day between the first and the last that kpi_daily lacks.
with kpi_daily as (

    select * from {{ ref('kpi_daily') }}

),

expected as (

    select cast(unnest(generate_series(min(date), max(date), interval 1 day)) as date) as date
    from kpi_daily

),

broken as (

    select expected.date
    from expected
    left join kpi_daily on expected.date = kpi_daily.date
    where kpi_daily.date is null

)

select * from broken
