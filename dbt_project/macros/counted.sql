{#-
    Whether a session or page view counts in KPI and attribution marts: of no bot, not excluded, and of an access log only
    where those count (int_access_policy says so). The one place that says it.
-#}
{% macro counts(facts, access_policy='access_policy') -%}
    not {{ facts }}.is_bot
    and not {{ facts }}.is_excluded
    and (not {{ facts }}.is_access or {{ access_policy }}.is_access_counted)
{%- endmacro %}
