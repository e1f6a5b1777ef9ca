with touches as (

    select * from {{ ref('int_conversions_touched') }}

),

journeys as (

    select
        conversion,
        conversion_id,
        conversion_month,
        any_value(revenue) as revenue,
        any_value(is_unrated) as is_unrated,
        max(touch_count) as touch_count,
        (epoch_us(any_value(converted_at)) - epoch_us(min(touched_at))) // 86400000000 as whole_days
    from touches
    group by conversion, conversion_id, conversion_month

),

-- Without a touch there is no first one to count days from.
measured as (

    select
        *,
        'touches' as measure,
        touch_count as length
    from journeys
    union all by name
    select
        *,
        'days' as measure,
        whole_days as length
    from journeys
    where touch_count > 0

),

counted as (

    select
        conversion,
        conversion_month,
        measure,
        length,
        count(*) as conversions,
        cast({{ known_sum('revenue', 'is_unrated') }} as decimal(38, 4)) as revenue
    from measured
    group by conversion, conversion_month, measure, length

),

final as (

    select
        conversion,
        conversion_month as month,
        measure,
        length,
        conversions,
        revenue,
        {{ rate('conversions', 'sum(conversions) over whole_month') }} as conversion_share,
        {{ rate('sum(conversions) over up_to_here', 'sum(conversions) over whole_month') }} as cumulative_share
    from counted
    window
        whole_month as (partition by conversion, conversion_month, measure),
        up_to_here as (
            partition by conversion, conversion_month, measure
            order by length
            rows between unbounded preceding and current row
        )

)

select * from final
