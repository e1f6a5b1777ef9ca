with conversion_touches as (

    select
        *,
        coalesce(lag(channel) over touches_in_order = channel, touch_count = 0) as is_continued
    from {{ ref('int_conversions_touched') }}
    window touches_in_order as (partition by conversion, conversion_id order by touch_number)

),

-- The same channel several times in a row is one step.
journeys as (

    select
        conversion,
        conversion_id,
        conversion_month,
        any_value(revenue) as revenue,
        any_value(is_unrated) as is_unrated,
        max(touch_count) as touch_count,
        count(*) filter (where not is_continued) as path_length,
        coalesce(
            string_agg(channel, ' > ' order by touch_number) filter (where not is_continued), '(unattributed)'
        ) as path,
        epoch_us(any_value(converted_at)) - epoch_us(min(touched_at)) as microseconds_to_convert
    from conversion_touches
    group by conversion, conversion_id, conversion_month

),

summed as (

    select
        conversion,
        conversion_month,
        path,
        cast({{ known_sum('revenue', 'is_unrated') }} as decimal(38, 4)) as revenue,
        cast(sum(touch_count) as bigint) as touches,
        max(path_length) as path_length,
        count(*) as conversions,
        sum(microseconds_to_convert) / 86400e6 / count(*) as average_days_to_convert,
        median(microseconds_to_convert) / 86400e6 as median_days_to_convert
    from journeys
    group by conversion, conversion_month, path

),

final as (

    select
        conversion,
        conversion_month as month,
        path,
        path_length,
        conversions,
        revenue,
        touches,
        {{ rate('conversions', 'sum(conversions) over month_of_conversion') }} as conversion_share,
        average_days_to_convert,
        median_days_to_convert,
        row_number() over (
            partition by conversion, conversion_month
            order by conversions desc, revenue desc nulls last, path asc
        ) as path_rank
    from summed
    window month_of_conversion as (partition by conversion, conversion_month)

)

select * from final
