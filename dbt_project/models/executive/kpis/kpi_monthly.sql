with kpis as (

    select * from {{ ref('int_kpis_compared') }}
    where
        grain = 'month'
        and dimension = 'all'

),

final as (

    select
        period_date as date,
        {{ kpi_columns() }}
    from kpis

)

select * from final
