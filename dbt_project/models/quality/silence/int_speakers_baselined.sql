{{ config(materialized='ephemeral') }}

with heard as (

    select * from {{ ref('int_speakers_expected') }}

),

holidays as (

    select * from {{ ref('stg_lake__holidays') }}

),

aged as (

    select
        *,
        {{ utc_date('hour') }} as heard_date,
        (epoch_us(hour) - epoch_us(first_heard_at)) // 604800000000 as weeks_known,
        [
            lag(visit_count) over hours_in_order, visit_count, lead(visit_count) over hours_in_order
        ] as hour_and_neighbours,
        last_value(case when message_count > 0 then hour end ignore nulls) over (
            partition by series, era
            order by hour
            rows between unbounded preceding and current row
        ) as last_heard_at
    from heard
    window hours_in_order as (partition by series, era order by hour)

),

compared as (

    select
        *,
        list_filter(
            flatten(list(hour_and_neighbours) over (
                partition by series, era, epoch_us(hour) // 3600000000 % 168
                order by hour
                rows between 4 preceding and 1 preceding
            )),
            lambda visits: visits is not null
        ) as same_hours_of_weeks,
        list_filter(lag(hour_and_neighbours) over same_hour_of_week, lambda visits: visits is not null)
            as same_hours_last_week,
        avg(visit_count) over seven_days as daily_mean,
        count(*) over seven_days as day_count
    from aged
    window
        same_hour_of_week as (
            partition by series, era, epoch_us(hour) // 3600000000 % 168
            order by hour
        ),
        seven_days as (
            partition by series, era, epoch_us(hour) // 3600000000 % 24
            order by hour
            rows between 7 preceding and 1 preceding
        )

),

-- One hour of a promotion or of an outage weeks ago moves no median.
baselined as (

    select
        *,
        case
            when weeks_known >= 2 then list_sort(same_hours_of_weeks)[(len(same_hours_of_weeks) + 1) // 2]
        end as weekly_median,
        case
            when weeks_known >= 2 then 'hour of week'
            when weeks_known = 1 then 'last week'
            when day_count >= 2 then 'hour of day'
        end as baseline
    from compared

),

-- Days on which it was heard, of the seven that end with a day on which it was.
heard_days as (

    select
        series,
        era,
        heard_date,
        count(*) over (
            partition by series, era
            order by heard_date
            range between interval 6 day preceding and current row
        ) as heard_day_count
    from aged
    where message_count > 0
    group by series, era, heard_date

),

-- A median of few hours is itself uncertain: what may be expected is one standard error less.
final as (

    select
        baselined.series,
        baselined.era,
        baselined.hour,
        baselined.app_id,
        baselined.platform,
        baselined.collector_host,
        baselined.message_count,
        baselined.first_heard_at,
        baselined.last_heard_at,
        heard_days.heard_day_count,
        baselined.weeks_known >= 1 as is_settled,
        case when holidays.holiday_date is null then baselined.baseline else 'holiday' end as baseline,
        case
            when holidays.holiday_date is not null then 0
            when baselined.baseline = 'hour of week'
                then
                    greatest(
                        baselined.weekly_median
                        - sqrt(baselined.weekly_median / len(baselined.same_hours_of_weeks)),
                        0
                    )
            when baselined.baseline = 'last week'
                then least(list_avg(baselined.same_hours_last_week), baselined.daily_mean)
            when baselined.baseline = 'hour of day' then baselined.daily_mean
        end as expected_count
    from baselined
    left join heard_days
        on
            baselined.series = heard_days.series
            and baselined.era = heard_days.era
            and {{ utc_date('baselined.last_heard_at') }} = heard_days.heard_date
    left join holidays
        on
            {{ reporting_date('baselined.hour') }} = holidays.holiday_date
            and (holidays.app_id is null or baselined.app_id = holidays.app_id)

)

select * from final
