{#- Whether a UTC day is sealed: what comes late for it counts no more (quality.sealed_days). -#}
{% macro is_sealed(day) -%}
    coalesce({{ day }} < (select max(seals.sealed_before) from {{ ref('stg_lake__seals') }} as seals), false)
{%- endmacro %}

{#- Whether all that lies before a day of the reporting time zone begins is sealed. -#}
{% macro is_sealed_until(next_day) -%}
    {{ is_sealed(utc_date('(' ~ reporting_midnight(next_day) ~ ' - interval 1 microsecond)')) }}
{%- endmacro %}

{#- Whether the events of a UTC day are there: those of sealed days go when they are not to be kept. -#}
{% macro has_events(day) -%}
    coalesce({{ day }} >= (select max(let_go.events_before) from {{ ref('stg_lake__seals') }} as let_go), true)
{%- endmacro %}

{#-
    Whether the rows of a UTC day are those that were kept when events went: of some days whose events are there, too,
    which may be cut into other sessions since.
-#}
{% macro is_kept(day) -%}
    coalesce({{ day }} < (select max(let_go.rows_before) from {{ ref('stg_lake__seals') }} as let_go), false)
{%- endmacro %}
