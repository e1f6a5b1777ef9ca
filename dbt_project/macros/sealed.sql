{#- Whether a UTC day is sealed: what comes late for it counts no more (quality.sealed_days). -#}
{% macro is_sealed(day) -%}
    coalesce({{ day }} < (select max(seals.sealed_before) from {{ ref('stg_lake__seals') }} as seals), false)
{%- endmacro %}

{#- Whether all that lies before a day of the reporting time zone begins is sealed. -#}
{% macro is_sealed_until(next_day) -%}
    {{ is_sealed(utc_date('(' ~ reporting_midnight(next_day) ~ ' - interval 1 microsecond)')) }}
{%- endmacro %}
