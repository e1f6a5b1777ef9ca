{#- The day of a moment in the reporting time zone (setting reporting_timezone): a day of 23 or 25 hours is one day. -#}
{% macro reporting_date(moment) -%}
    cast(timezone('{{ var("reporting_timezone") }}', {{ moment }}) as date)
{%- endmacro %}

{#- The moment at which a day of the reporting time zone begins. -#}
{% macro reporting_midnight(day) -%}
    timezone('{{ var("reporting_timezone") }}', cast({{ day }} as timestamp))
{%- endmacro %}

{#- The Monday that a day's ISO week starts with. -#}
{% macro week_of(day) -%}
    cast(date_trunc('week', {{ day }}) as date)
{%- endmacro %}

{#- The first day of a day's month. -#}
{% macro month_of(day) -%}
    cast(date_trunc('month', {{ day }}) as date)
{%- endmacro %}

{#- The periods of a fact by its reporting_date, as kpi_grouping_sets and kpi_keys want them. -#}
{% macro kpi_periods() -%}
    reporting_date as day_date,
    {{ week_of('reporting_date') }} as week_date,
    {{ month_of('reporting_date') }} as month_date
{%- endmacro %}

{#- The grains at which KPIs are counted: each from the facts themselves, none from another grain. -#}
{% macro kpi_grouping_sets() -%}
    grouping sets (
        (day_date), (week_date), (month_date), (day_date, platform), (day_date, country), (day_date, channel),
        (week_date, channel)
    )
{%- endmacro %}

{#- The key of a counted row; of the grouped columns just those of its own grain are not null. -#}
{% macro kpi_keys() -%}
    case
        when week_date is not null then 'week'
        when month_date is not null then 'month'
        else 'day'
    end as grain,
    case
        when platform is not null then 'platform'
        when country is not null then 'country'
        when channel is not null then 'channel'
        else 'all'
    end as dimension,
    coalesce(platform, country, channel, 'all') as dimension_value,
    coalesce(day_date, week_date, month_date) as period_date
{%- endmacro %}

{#- A row of the KPI tables, the same at every grain; int_kpis_measured and int_kpis_compared say how each is made. -#}
{% macro kpi_columns() -%}
    day_count,
    is_complete,
    is_sealed,
    is_witnessed,
    is_revenue_complete,
    visitors,
    new_visitors,
    sessions,
    bounce_rate,
    page_views,
    pages_per_session,
    average_session_seconds,
    orders,
    revenue,
    conversion_rate,
    average_order_value,
    revenue_per_visitor,
    bounces,
    sessions_with_order,
    pixel_hits,
    matched,
    completeness,
    page_views_estimated,
    page_views_low,
    page_views_high,
    page_views_dependent_high
    {%- for metric in compared_counts() + compared_measures() %},
    {{ metric }}_previous,
    {{ metric }}_change,
    {{ metric }}_change_low,
    {{ metric }}_change_high,
    {{ metric }}_year_before,
    {{ metric }}_year_change,
    {{ metric }}_year_change_low,
    {{ metric }}_year_change_high
    {%- endfor %},
    completeness_previous,
    completeness_year_before
{%- endmacro %}

{#- What is counted of a period, and what is added up with fractions: of nothing both are nought. -#}
{% macro kpi_counts() -%}
    {{ return([
        'page_views', 'page_views_without_witness', 'unwitnessed_cells', 'pixel_hits', 'matched', 'seen_count',
        'unrated_orders', 'visitors', 'new_visitors', 'sessions', 'bounces', 'sessions_with_order', 'orders'
    ]) }}
{%- endmacro %}

{% macro kpi_sums() -%}
    {{ return(['unseen_count', 'unseen_variance', 'squared_session_pages', 'squared_revenue']) }}
{%- endmacro %}

{#- Whether what is known of a metric in two periods is alike enough to say how it changed. -#}
{% macro is_comparable(metric, period) -%}
    is_like_{{ period }}
    {%- if metric == 'page_views_estimated' %} and is_witnessed_as_{{ period }}{% endif %}
    {%- if metric in ('revenue', 'average_order_value') %} and is_rated_as_{{ period }}{% endif %}
{%- endmacro %}

{#- A 95 % limit of a change; unknown where either side is nought or unknown. -#}
{% macro change_limit(change, side) -%}
    case
        when {{ change }} > -1
            then (1 + {{ change }}) * exp({{ side }}1.96::double * {{ change | replace('change', 'deviation') }}) - 1
    end
{%- endmacro %}

{#- Metrics that are nought where nothing happened, and those that are unknown there. -#}
{% macro compared_counts() -%}
    {{ return(['visitors', 'sessions', 'page_views', 'orders', 'revenue']) }}
{%- endmacro %}

{% macro compared_measures() -%}
    {{ return(['page_views_estimated', 'conversion_rate', 'average_order_value']) }}
{%- endmacro %}
