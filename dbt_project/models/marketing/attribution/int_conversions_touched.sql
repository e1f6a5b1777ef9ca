with conversions as (

    select
        conversion,
        conversion_id,
        order_id,
        person_id,
        converted_at,
        {{ utc_month('converted_at') }} as conversion_month,
        revenue,
        is_unrated
    from {{ ref('conversions') }}

),

touchpoints as (

    select
        session_id,
        person_id,
        touched_at,
        channel,
        source,
        medium,
        campaign
    from {{ ref('touchpoints') }}

),

touched as (

    select
        conversions.*,
        touchpoints.session_id,
        touchpoints.touched_at,
        touchpoints.channel,
        touchpoints.source,
        touchpoints.medium,
        touchpoints.campaign
    from conversions
    left join touchpoints
        on
            conversions.person_id = touchpoints.person_id
            and conversions.converted_at >= touchpoints.touched_at
            and touchpoints.touched_at
            > conversions.converted_at - interval '{{ var("attribution_window_days") }} days'

),

numbered as (

    select
        *,
        row_number() over (
            partition by conversion, conversion_id
            order by touched_at, session_id
        ) as touch_number,
        count(session_id) over (partition by conversion, conversion_id) as touch_count,
        count(session_id) over (partition by conversion, conversion_id, channel) as channel_touch_count,
        array_to_string(
            list_sort(list_distinct(list(channel) over (partition by conversion, conversion_id))), ' + '
        ) as channel_set
    from touched

)

select * from numbered
