{#- The attribution models, as rows. -#}
{% macro attribution_models() -%}
    select
        unnest([
            'first_touch', 'last_touch', 'last_non_direct', 'linear', 'position_based', 'time_decay', 'markov'
        ]) as model
{%- endmacro %}

{#- The first day of the UTC month of a moment. -#}
{% macro utc_month(moment) -%}
    cast(date_trunc('month', {{ utc_date(moment) }}) as date)
{%- endmacro %}
