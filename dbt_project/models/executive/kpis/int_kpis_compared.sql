with measured as (

    select * from {{ ref('int_kpis_measured') }}

),

complete_periods as (

    select
        grain,
        period_date
    from {{ ref('int_reporting_periods') }}
    where is_complete

),

-- The same day or month of the year before; the same ISO week, which is 52 or 53 weeks back. What has no
-- counterpart (29 February, week 53) is compared with nothing.
dated as (

    select
        *,
        min(period_date) over (partition by grain) as first_period_date,
        case grain
            when 'day' then cast(period_date - interval 1 day as date)
            when 'week' then cast(period_date - interval 7 day as date)
            else cast(period_date - interval 1 month as date)
        end as previous_date,
        case
            when grain <> 'week'
                then
                    case
                        when day(period_date - interval 1 year) = day(period_date)
                            then cast(period_date - interval 1 year as date)
                    end
            when weekofyear(period_date - interval 364 day) = weekofyear(period_date)
                then cast(period_date - interval 364 day as date)
            when weekofyear(period_date - interval 371 day) = weekofyear(period_date)
                then cast(period_date - interval 371 day as date)
        end as year_before_date
    from measured

),

joined as (

    select
        dated.*,
        dated.is_complete and complete_before.period_date is not null as is_like_previous,
        dated.is_complete and complete_year_before.period_date is not null as is_like_year_before,
        coalesce(dated.is_witnessed and previous.is_witnessed, false) as is_witnessed_as_previous,
        coalesce(dated.is_witnessed and year_before.is_witnessed, false) as is_witnessed_as_year_before,
        coalesce(dated.is_revenue_complete and previous.is_revenue_complete, false) as is_rated_as_previous,
        coalesce(dated.is_revenue_complete and year_before.is_revenue_complete, false) as is_rated_as_year_before,
        previous.completeness as completeness_previous,
        year_before.completeness as completeness_year_before,
        {% for metric in compared_counts() + compared_measures() %}
            sqrt(dated.{{ metric }}_variance + previous.{{ metric }}_variance) as {{ metric }}_deviation,
            sqrt(dated.{{ metric }}_variance + year_before.{{ metric }}_variance) as {{ metric }}_year_deviation,
        {% endfor %}
        {% for metric in compared_counts() %}
            case
                when previous.period_date is not null then previous.{{ metric }}
                when dated.previous_date >= dated.first_period_date then 0
            end as {{ metric }}_previous,
            case
                when year_before.period_date is not null then year_before.{{ metric }}
                when dated.year_before_date >= dated.first_period_date then 0
            end as {{ metric }}_year_before,
        {% endfor %}
    {% for metric in compared_measures() %}
        previous.{{ metric }} as {{ metric }}_previous,
        year_before.{{ metric }} as {{ metric }}_year_before{{ ',' if not loop.last }}
    {% endfor %}
    from dated
    left join measured as previous
        on
            dated.grain = previous.grain
            and dated.dimension = previous.dimension
            and dated.dimension_value = previous.dimension_value
            and dated.previous_date = previous.period_date
    left join measured as year_before
        on
            dated.grain = year_before.grain
            and dated.dimension = year_before.dimension
            and dated.dimension_value = year_before.dimension_value
            and dated.year_before_date = year_before.period_date
    left join complete_periods as complete_before
        on
            dated.grain = complete_before.grain
            and dated.previous_date = complete_before.period_date
    left join complete_periods as complete_year_before
        on
            dated.grain = complete_year_before.grain
            and dated.year_before_date = complete_year_before.period_date

),

-- A part of a week says nothing beside a whole one: changes are between whole periods; of an estimate, between those
-- that were witnessed throughout, and of money between those in which every order has a rate.
compared as (

    select
        *,
    {% for metric in compared_counts() + compared_measures() %}
        case when {{ is_comparable(metric, 'previous') }} then {{ rate(metric, metric ~ '_previous') }} - 1 end
            as {{ metric }}_change,
        case when {{ is_comparable(metric, 'year_before') }} then {{ rate(metric, metric ~ '_year_before') }} - 1 end
            as {{ metric }}_year_change{{ ',' if not loop.last }}
    {% endfor %}
    from joined

),

-- A ratio of two chances is log-normal: between these limits the change lies that would show if chance were away.
limited as (

    select
        *,
    {% for metric in compared_counts() + compared_measures() %}
        {{ change_limit(metric ~ '_change', '-') }} as {{ metric }}_change_low,
        {{ change_limit(metric ~ '_change', '+') }} as {{ metric }}_change_high,
        {{ change_limit(metric ~ '_year_change', '-') }} as {{ metric }}_year_change_low,
        {{ change_limit(metric ~ '_year_change', '+') }} as {{ metric }}_year_change_high{{ ',' if not loop.last }}
    {% endfor %}
    from compared

),

final as (

    select
        grain,
        dimension,
        dimension_value,
        period_date,
        {{ kpi_columns() }}
    from limited

)

select * from final
