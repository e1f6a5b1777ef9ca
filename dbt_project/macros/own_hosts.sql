{#- Whether a host is the site's own by the setting own_hosts, or lies under one of them. -#}
{% macro is_own_host(host) -%}
    (
        false
    {%- for own_host in var('own_hosts', []) %}
            or {{ host }} = '{{ own_host }}'
            or ends_with({{ host }}, '.{{ own_host }}')
    {%- endfor %}
    )
{%- endmacro %}

{#- A host without the "www." that a site answers by as well. -#}
{% macro bare_host(host) -%}
    regexp_replace(rtrim(lower({{ host }}), '.'), '^www[.]', '')
{%- endmacro %}
