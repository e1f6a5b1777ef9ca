{#- Whether messages of this app are people's, and not the pipeline's own probes, which checks leave out. -#}
{% macro is_no_probe(app_id) -%}
    {{ app_id }} is distinct from '{{ var("probe_app_id") }}'
{%- endmacro %}
