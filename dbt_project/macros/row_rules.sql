{#- How many rows break each rule of the test rows_hold: a column a rule, named for what is wrong. -#}
{% macro rule_breaks(unique, not_null, accepted) -%}
    {%- set rules = [] -%}
    {%- for key in unique -%}
        {%- set distinct_keys = 'count(distinct row("' ~ key | join('", "') ~ '"))' -%}
        {%- do rules.append('count(*) - ' ~ distinct_keys ~ ' as "' ~ key | join(', ') ~ ' repeated"') -%}
    {%- endfor -%}
    {%- for column in not_null -%}
        {%- do rules.append('count(*) filter (where "' ~ column ~ '" is null) as "' ~ column ~ ' is null"') -%}
    {%- endfor -%}
    {%- for column, values in accepted.items() -%}
        {%- set others = '"' ~ column ~ '" not in (' ~ quoted_list(values) ~ ')' -%}
        {%- do rules.append('count(*) filter (where ' ~ others ~ ') as "' ~ column ~ ' unheard of"') -%}
    {%- endfor -%}
    {{ rules | join(', ') }}
{%- endmacro %}
