with kpi_daily as (

    select * from {{ ref('kpi_daily') }}

),

last_whole as (

    select max(date) as last_date from kpi_daily
    where is_complete

),

final as (

    select
        kpi_daily.date,
        kpi_daily.is_complete,
        kpi_daily.is_sealed,
        coalesce(kpi_daily.date + {{ var('attribution_window_days') }} <= last_whole.last_date, false) as is_mature
    from kpi_daily
    cross join last_whole

)

select * from final
