with sessions as (

    select
        person_id,
        is_counted,
        {{ reporting_date('started_at') }} as reporting_date
    from {{ ref('sessions') }}

),

weeks as (

    select
        date as week_date,
        is_complete
    from {{ ref('kpi_weekly') }}

),

dated_uses as (

    select * from {{ ref('int_feature_uses_dated') }}

),

active as (

    select
        person_id,
        {{ week_of('reporting_date') }} as week_date
    from sessions
    where is_counted
    union
    select
        person_id,
        week_date
    from dated_uses

),

active_by_week as (

    select
        week_date,
        count(*) as active_persons
    from active
    group by week_date

),

first_active as (

    select
        person_id,
        min(week_date) as week_date
    from active
    group by person_id

),

first_active_by_week as (

    select
        week_date,
        count(*) as new_persons
    from first_active
    group by week_date

),

persons_by_week as (

    select
        weeks.week_date,
        weeks.is_complete,
        coalesce(active_by_week.active_persons, 0) as active_persons,
        sum(coalesce(first_active_by_week.new_persons, 0)) over (order by weeks.week_date) as persons_to_date
    from weeks
    left join active_by_week on weeks.week_date = active_by_week.week_date
    left join first_active_by_week on weeks.week_date = first_active_by_week.week_date

),

used as (

    select
        feature,
        person_id,
        week_date,
        count(*) as use_count,
        count(distinct reporting_date) as day_count
    from dated_uses
    group by feature, person_id, week_date

),

followed as (

    select
        *,
        lag(week_date) over visits is null as is_first,
        coalesce(lag(week_date) over visits = week_date - 7, false) as is_returning
    from used
    window visits as (partition by feature, person_id order by week_date)

),

used_by_week as (

    select
        feature,
        week_date,
        count(*) as user_count,
        sum(use_count) as uses,
        sum(day_count) as user_days,
        count(*) filter (where is_first) as new_users,
        count(*) filter (where is_returning) as returning_users
    from followed
    group by feature, week_date

),

-- The week after a use has a row even when nobody came back: that is what retention is about.
spine as (

    select
        feature,
        week_date
    from used_by_week
    union
    select
        used_by_week.feature,
        weeks.week_date
    from used_by_week
    inner join weeks on used_by_week.week_date + 7 = weeks.week_date

),

joined as (

    select
        spine.week_date,
        spine.feature,
        persons_by_week.is_complete,
        persons_by_week.active_persons,
        persons_by_week.persons_to_date,
        used_by_week.user_days,
        week_before.user_count as previous_user_count,
        coalesce(used_by_week.user_count, 0) as user_count,
        coalesce(used_by_week.uses, 0) as uses,
        coalesce(used_by_week.new_users, 0) as new_users,
        coalesce(used_by_week.returning_users, 0) as returning_users
    from spine
    left join persons_by_week on spine.week_date = persons_by_week.week_date
    left join used_by_week
        on
            spine.feature = used_by_week.feature
            and spine.week_date = used_by_week.week_date
    left join used_by_week as week_before
        on
            spine.feature = week_before.feature
            and spine.week_date = week_before.week_date + 7

),

final as (

    select
        week_date,
        feature,
        is_complete,
        active_persons,
        user_count,
        {{ rate('user_count', 'active_persons') }} as adoption_rate,
        cast(uses as bigint) as uses,
        {{ rate('uses', 'user_count') }} as uses_per_user,
        {{ rate('user_days', 'user_count') }} as days_per_user,
        new_users,
        returning_users,
        {{ rate('returning_users', 'previous_user_count') }} as retention_rate,
        cast(sum(new_users) over (partition by feature order by week_date) as bigint) as users_to_date,
        {{ rate('sum(new_users) over (partition by feature order by week_date)', 'persons_to_date') }}
            as adoption_to_date_rate
    from joined

)

select * from final
