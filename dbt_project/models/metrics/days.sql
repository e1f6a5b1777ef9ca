with kpi_daily as (

    select * from {{ ref('kpi_daily') }}

),

final as (

    select date from kpi_daily

)

select * from final
