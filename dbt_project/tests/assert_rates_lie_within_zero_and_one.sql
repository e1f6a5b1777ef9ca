-- A share above one or below zero is a join that multiplied or lost rows.
-- A row is a table and period with an impossible rate.
{%- set tables = [
    'kpi_daily', 'kpi_weekly', 'kpi_monthly', 'kpi_daily_by_platform', 'kpi_daily_by_country', 'kpi_daily_by_channel',
    'kpi_weekly_by_channel'
] %}

with kpis as (

    {% for table in tables %}
        select
            '{{ table }}' as table_name,
            date,
            bounce_rate,
            conversion_rate,
            completeness
        from {{ ref(table) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

broken as (

    select * from kpis
    where
        bounce_rate not between 0 and 1
        or conversion_rate not between 0 and 1
        or completeness not between 0 and 1

)

select * from broken
