{#- The rows of int_channel_performance that are dated by the touch or by the order. -#}
{% macro performance_dated_by(way) -%}
    select
        date,
        model,
        channel,
        source,
        medium,
        campaign,
        sessions,
        impressions,
        clicks,
        cost,
        is_cost_complete,
        conversions,
        revenue,
        is_revenue_complete,
        click_through_rate,
        cost_per_click,
        cost_per_session,
        cost_per_acquisition,
        return_on_ad_spend
    from {{ ref('int_channel_performance') }}
    where dated_by = '{{ way }}'
{%- endmacro %}
