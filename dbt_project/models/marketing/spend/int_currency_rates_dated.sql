{{ config(materialized='in_place_view') }}

with currency_rates as (

    select * from {{ ref('currency_rates') }}
    where
        reporting_currency = '{{ var("reporting_currency") }}'
        and currency <> '{{ var("reporting_currency") }}'

),

dated as (

    select
        currency,
        rate,
        valid_from,
        lead(valid_from, 1, date '9999-12-31') over (partition by currency order by valid_from) as valid_until
    from currency_rates

),

final as (

    select
        currency,
        rate,
        valid_from,
        valid_until
    from dated
    union all
    select
        '{{ var("reporting_currency") }}' as currency,
        cast(1 as decimal(18, 8)) as rate,
        date '0001-01-01' as valid_from,
        date '9999-12-31' as valid_until

)

select * from final
