{{ config(materialized='in_place_view') }}

with conversions as (

    select * from {{ ref('conversions') }}

),

conversion_touches as (

    select * from {{ ref('int_conversions_touched') }}
    where touch_count > 0

),

touchpoints as (

    select
        session_id,
        person_id,
        channel,
        touched_at,
        {{ utc_month('touched_at') }} as touched_month
    from {{ ref('touchpoints') }}

),

months as (

    select distinct
        conversion,
        conversion_month
    from conversion_touches

),

converted_persons as (

    select distinct
        conversion,
        person_id,
        {{ utc_month('converted_at') }} as conversion_month
    from conversions

),

-- Who had touches in a month and did not convert in it: that path led to nothing.
null_touches as (

    select
        months.conversion,
        months.conversion_month,
        touchpoints.person_id,
        touchpoints.session_id,
        touchpoints.touched_at,
        touchpoints.channel
    from touchpoints
    inner join months on touchpoints.touched_month = months.conversion_month
    left join converted_persons
        on
            months.conversion = converted_persons.conversion
            and months.conversion_month = converted_persons.conversion_month
            and touchpoints.person_id = converted_persons.person_id
    where converted_persons.person_id is null

),

path_touches as (

    select
        conversion,
        conversion_month,
        '(conversion)' as path_end,
        conversion_id as path_id,
        touched_at,
        session_id,
        channel
    from conversion_touches
    union all
    select
        conversion,
        conversion_month,
        '(null)' as path_end,
        person_id as path_id,
        touched_at,
        session_id,
        channel
    from null_touches

),

steps as (

    select
        conversion,
        conversion_month,
        path_end,
        channel,
        lag(channel) over path as previous_channel,
        lead(channel) over path as next_channel
    from path_touches
    window path as (
        partition by conversion, conversion_month, path_end, path_id
        order by touched_at, session_id
    )

),

transitions as (

    select
        conversion,
        conversion_month,
        coalesce(previous_channel, '(start)') as from_state,
        channel as to_state
    from steps
    union all
    select
        conversion,
        conversion_month,
        channel as from_state,
        path_end as to_state
    from steps
    where next_channel is null

),

counted as (

    select
        conversion,
        conversion_month,
        from_state,
        to_state,
        count(*) as transition_count
    from transitions
    group by conversion, conversion_month, from_state, to_state

)

select * from counted
