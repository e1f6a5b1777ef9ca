-- A page view that a join loses or doubles falsifies every rate: every KPI table adds up to the page views that count.
-- A row is a table whose total differs.
{%- set tables = [
    'kpi_daily', 'kpi_weekly', 'kpi_monthly', 'kpi_daily_by_platform', 'kpi_daily_by_country', 'kpi_daily_by_channel',
    'kpi_weekly_by_channel'
] %}

with views as (

    select
        1 as page_views,
        is_access,
        is_bot,
        is_excluded
    from {{ ref('int_page_views_numbered') }}
    where
        not is_repeat
        and not {{ is_kept('session_date') }}
    union all
    select
        page_views,
        is_access,
        is_bot,
        is_excluded
    from {{ ref('int_page_views_counted') }}
    where {{ is_kept('session_date') }}

),

page_views as (

    select coalesce(sum(views.page_views), 0) as page_view_count
    from views
    cross join {{ ref('int_access_policy') }} as access_policy
    where
        not views.is_bot
        and not views.is_excluded
        and (not views.is_access or access_policy.is_access_counted)

),

kpis as (

    {% for table in tables %}
        select
            '{{ table }}' as table_name,
            coalesce(sum(page_views), 0) as page_view_count
        from {{ ref(table) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

broken as (

    select
        kpis.table_name,
        kpis.page_view_count as kpi_page_view_count,
        page_views.page_view_count
    from kpis
    cross join page_views
    where kpis.page_view_count is distinct from page_views.page_view_count

)

select * from broken
