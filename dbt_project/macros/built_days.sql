{#-
    Which days a run rebuilds. The days are passed in; no day is ever looked up in what was built before.
    Everything (days is null) is written out as `true`, so that one query serves both.
-#}
{% macro built_days(column) -%}
    {%- set days = var('days', none) -%}
    {%- if days is none -%}
        true
    {%- elif days | length == 0 -%}
        false
    {%- else -%}
        {{ column }} in ({% for day in days %}date '{{ day }}'{{ ', ' if not loop.last }}{% endfor %})
    {%- endif -%}
{%- endmacro %}

{#-
    Events of the sessions that start on the days to rebuild. A session lies on its own day and later ones,
    so older partitions are not opened; the range on session_date lets Parquet statistics skip the later ones.
-#}
{% macro built_sessions() -%}
    {%- set days = var('days', none) -%}
    {{ built_days('session_date') }}
    {%- if days %}
        and event_date >= date '{{ days | min }}'
        and session_date between date '{{ days | min }}' and date '{{ days | max }}'
    {%- endif -%}
{%- endmacro %}

{#- Before an incremental model adds the rebuilt days: what it held of them goes, also of days now empty. -#}
{% macro forget_built_days() -%}
    {%- if is_incremental() -%}
        delete from {{ this }} where {{ built_days('session_date') }}
    {%- endif -%}
{%- endmacro %}
