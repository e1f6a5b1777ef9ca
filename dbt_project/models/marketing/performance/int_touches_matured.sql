with attribution as (

    select * from {{ ref('attribution') }}
    where
        conversion = 'order'
        and session_id is not null
        and revenue_credit is not null

),

lake_now as (

    select * from {{ ref('int_lake_now') }}

),

-- In whole UTC days, up to the last that the data covers: a touch of age k has had all orders of lag k and less.
credits as (

    select
        attribution.model,
        attribution.order_id,
        attribution.revenue_credit,
        date_diff('day', {{ utc_date('attribution.touched_at') }}, {{ utc_date('attribution.ordered_at') }})
            as lag_days,
        {{ whole_days_since(utc_date('attribution.touched_at')) }} as age_days
    from attribution
    cross join lake_now
    where {{ utc_date('attribution.ordered_at') }} <= {{ last_whole_date('lake_now') }}

),

cells as (

    select
        model,
        lag_days,
        least(age_days, {{ var('attribution_window_days') }}) as age_days,
        sum(revenue_credit) as revenue
    from credits
    group by all

),

order_totals as (

    select
        model,
        order_id,
        cast(sum(revenue_credit) as double) as revenue
    from credits
    group by model, order_id

),

-- Money comes by the order, and large orders say less than their sum: so much of it says as much as one case.
lumps as (

    select
        model,
        fsum(revenue * revenue order by revenue) / nullif(fsum(revenue order by revenue), 0) as lump
    from order_totals
    group by model

),

lags as (

    select unnest(range(0, {{ var('attribution_window_days') }} + 1)) as lag_days

),

-- Of the touches that have the age: what came at it, and what came up to it.
steps as (

    select
        cells.model,
        lags.lag_days,
        cast(coalesce(sum(cells.revenue) filter (where cells.lag_days = lags.lag_days), 0) as double) as came,
        cast(sum(cells.revenue) as double) as known
    from lags
    inner join cells
        on
            lags.lag_days >= cells.lag_days
            and lags.lag_days <= cells.age_days
    group by cells.model, lags.lag_days

),

-- Of what has come by an age, each later day adds its part: going back, the parts are taken off one by one.
chained as (

    select
        lumps.model,
        lags.lag_days as age_days,
        lumps.lump,
        count(steps.lag_days) filter (where steps.known > 0) as known_lags,
        coalesce(product(1 - steps.came / steps.known order by steps.lag_days), 1) as maturity,
        coalesce(
            fsum(steps.came / nullif(steps.known * (steps.known - steps.came), 0) order by steps.lag_days), 0
        ) * lumps.lump
            as log_variance,
        min(steps.known) / nullif(lumps.lump, 0) as least_cases
    from lumps
    cross join lags
    left join steps
        on
            lumps.model = steps.model
            and lags.lag_days < steps.lag_days
    group by lumps.model, lags.lag_days, lumps.lump

),

-- As many whole cases as would be as sure of the share; where nothing came later, as many as waited for it.
judged as (

    select
        *,
        coalesce((1 - maturity) / nullif(maturity * log_variance, 0), least_cases) as cases
    from chained
    where
        age_days < {{ var('attribution_window_days') }}
        and known_lags = {{ var('attribution_window_days') }} - age_days

),

limited as (

    select
        *,
        (maturity + 1.9207e0 / cases) / (1 + 3.8415e0 / cases) as middle,
        1.96e0 * sqrt(maturity * (1 - maturity) / cases + 0.9604e0 / (cases * cases))
        / (1 + 3.8415e0 / cases) as half_width
    from judged

),

-- Fewer than ten cases say nothing.
final as (

    select
        model,
        cast(age_days as integer) as age_days,
        maturity,
        greatest(middle - half_width, 0) as maturity_low,
        least(middle + half_width, 1) as maturity_high
    from limited
    where cases >= 10

)

select * from final
