with kpis as (

    select * from {{ ref('int_kpis_compared') }}
    where
        grain = 'day'
        and dimension = 'platform'

),

final as (

    select
        period_date as date,
        dimension_value as platform,
        {{ kpi_columns() }}
    from kpis

)

select * from final
