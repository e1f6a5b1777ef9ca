with kpis as (

    select * from {{ ref('int_kpis_compared') }}
    where
        grain = 'week'
        and dimension = 'channel'

),

final as (

    select
        period_date as date,
        dimension_value as channel,
        {{ kpi_columns() }}
    from kpis

)

select * from final
