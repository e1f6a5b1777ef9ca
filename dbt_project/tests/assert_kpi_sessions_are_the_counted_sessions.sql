-- The executives' total must be the analysts': days, weeks, months and the parts of days add up to exactly the sessions
-- that count, on the reporting day they start. A row is a table and month whose total differs.
{%- set tables = [
    'kpi_daily', 'kpi_monthly', 'kpi_daily_by_platform', 'kpi_daily_by_country', 'kpi_daily_by_channel'
] %}

with sessions as (

    select
        {{ month_of(reporting_date('started_at')) }} as month_date,
        count(*) as session_count
    from {{ ref('sessions') }}
    where is_counted
    group by all

),

weeks_of_sessions as (

    select
        {{ week_of(reporting_date('started_at')) }} as week_date,
        count(*) as session_count
    from {{ ref('sessions') }}
    where is_counted
    group by all

),

kpis as (

    {% for table in tables %}
        select
            '{{ table }}' as table_name,
            {{ month_of('date') }} as month_date,
            sum(sessions) as session_count
        from {{ ref(table) }}
        group by all
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

expected as (

    {% for table in tables %}
        select
            '{{ table }}' as table_name,
            month_date,
            session_count
        from sessions
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

broken as (

    select
        coalesce(kpis.table_name, expected.table_name) as table_name,
        coalesce(kpis.month_date, expected.month_date) as period_date,
        kpis.session_count as kpi_session_count,
        expected.session_count
    from kpis
    full join expected
        on
            kpis.table_name = expected.table_name
            and kpis.month_date = expected.month_date
    where coalesce(kpis.session_count, 0) <> coalesce(expected.session_count, 0)
    union all
    select
        'kpi_weekly' as table_name,
        coalesce(kpi_weekly.date, weeks_of_sessions.week_date) as period_date,
        kpi_weekly.sessions as kpi_session_count,
        weeks_of_sessions.session_count
    from {{ ref('kpi_weekly') }} as kpi_weekly
    full join weeks_of_sessions on kpi_weekly.date = weeks_of_sessions.week_date
    where coalesce(kpi_weekly.sessions, 0) <> coalesce(weeks_of_sessions.session_count, 0)

)

select * from broken
