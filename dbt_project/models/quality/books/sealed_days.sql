with seals as (

    select * from {{ ref('stg_lake__seals') }}

),

messages_hourly as (

    select * from {{ ref('int_messages_hourly') }}
    where not coalesce(is_stray, false)

),

days as (

    select distinct event_date as date
    from messages_hourly

),

-- A day was sealed by the first seal of days after it.
final as (

    select
        days.date,
        min(seals.sealed_at) as sealed_at,
        min_by(seals.keep_days, seals.sealed_at) as keep_days,
        {{ has_events('days.date') }} as has_events
    from days
    inner join seals on days.date < seals.sealed_before
    group by days.date

)

select * from final
