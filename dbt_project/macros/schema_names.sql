{#-
    Schemas are named as the contract names them, without the target's name in front; intermediate models share one that
    is never published.
-#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if node.name.startswith('int_') -%}
        intermediate
    {%- else -%}
        {{ (custom_schema_name or target.schema) | trim }}
    {%- endif -%}
{%- endmacro %}
