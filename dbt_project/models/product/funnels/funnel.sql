with funnels as (

    select * from {{ ref('funnels') }}

),

reached as (

    select * from {{ ref('int_funnel_steps_reached') }}

),

sessions as (

    select
        session_id,
        {{ reporting_date('started_at') }} as reporting_date
    from {{ ref('sessions') }}
    where is_counted

),

calendar as (

    select reporting_date from {{ ref('int_reporting_calendar') }}

),

timed as (

    select
        reached.funnel,
        reached.step_number,
        sessions.reporting_date,
        epoch_us(reached.reached_at) - epoch_us(lag(reached.reached_at) over (
            partition by reached.funnel, reached.session_id
            order by reached.step_number
        )) as microseconds
    from reached
    inner join sessions on reached.session_id = sessions.session_id

),

counted as (

    select
        funnel,
        step_number,
        reporting_date,
        count(*) as sessions,
        quantile_disc(microseconds, 0.5) / 1e6 as median_seconds
    from timed
    group by funnel, step_number, reporting_date

),

dense as (

    select
        calendar.reporting_date,
        funnels.funnel,
        funnels.step_number,
        funnels.step,
        counted.median_seconds,
        coalesce(counted.sessions, 0) as sessions
    from calendar
    cross join funnels
    left join counted
        on
            calendar.reporting_date = counted.reporting_date
            and funnels.funnel = counted.funnel
            and funnels.step_number = counted.step_number

),

compared as (

    select
        *,
        lag(sessions) over steps as previous_sessions,
        first_value(sessions) over steps as first_sessions
    from dense
    window steps as (partition by reporting_date, funnel order by step_number)

),

final as (

    select
        reporting_date as date,
        funnel,
        step_number,
        step,
        sessions,
        previous_sessions,
        {{ rate('sessions', 'previous_sessions') }} as step_rate,
        {{ rate('sessions', 'first_sessions') }} as funnel_rate,
        median_seconds
    from compared

)

select * from final
