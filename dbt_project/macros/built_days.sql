{#-
    Which days a run rebuilds. The days are passed in; no day is ever looked up in what was built before.
    As a list (null: everything) they stand in the text. As the word `bound` they are DuckDB's variable built_days, so
    that one compiled text serves any days; DuckDB puts its value in before it plans, and opens those days' files only.
-#}
{% macro built_days_listed() -%}
    {%- set days = var('days', none) -%}
    {%- if days == 'bound' -%}
        cast(getvariable('built_days') as date[])
    {%- elif days is none -%}
        cast(null as date[])
    {%- else -%}
        cast([{% for day in days %}'{{ day }}'{{ ', ' if not loop.last }}{% endfor %}] as date[])
    {%- endif -%}
{%- endmacro %}

{% macro built_days(column) -%}
    ({{ built_days_listed() }} is null or list_contains({{ built_days_listed() }}, {{ column }}))
{%- endmacro %}

{#-
    Events of the sessions that start on the days to rebuild. A session lies on its own day and later ones,
    so older partitions are not opened; the range on session_date lets Parquet statistics skip the later ones.
-#}
{% macro built_sessions() -%}
    (
        {{ built_days_listed() }} is null
        or (
            list_contains({{ built_days_listed() }}, session_date)
            and event_date >= list_min({{ built_days_listed() }})
            and session_date between list_min({{ built_days_listed() }}) and list_max({{ built_days_listed() }})
        )
    )
{%- endmacro %}
