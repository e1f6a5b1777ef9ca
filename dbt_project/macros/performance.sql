{#-
    The rows of int_channel_performance that are dated by the touch or by the order. What touches of an age bring has come
    in part; at the end of the window, and of an order's own day, all has.
-#}
{% macro performance_dated_by(way) -%}
    select
        performance.date,
        performance.model,
        performance.channel,
        performance.source,
        performance.medium,
        performance.campaign,
        performance.sessions,
        performance.impressions,
        performance.clicks,
        performance.cost,
        performance.is_cost_complete,
        performance.conversions,
        performance.revenue,
        performance.is_revenue_complete,
        performance.click_through_rate,
        performance.cost_per_click,
        performance.cost_per_session,
        performance.cost_per_acquisition,
        performance.return_on_ad_spend,
        coalesce(
            performance.date between {{ first_whole_date('lake_now') }} and {{ last_whole_date('lake_now') }},
            false
        ) as is_complete,
        {{ is_sealed('performance.date') }} as is_sealed,
    {%- for column in ['maturity', 'maturity_low', 'maturity_high'] %}
        {%- if way == 'touch' %}
        case
            when {{ whole_days_since('performance.date') }} >= {{ var('attribution_window_days') }} then 1
            else touches_matured.{{ column }}
        end as {{ column }}{{ ',' if not loop.last }}
        {%- else %}
        cast(1 as double) as {{ column }}{{ ',' if not loop.last }}
        {%- endif %}
    {%- endfor %}
    from {{ ref('int_channel_performance') }} as performance
    cross join {{ ref('int_lake_now') }} as lake_now
    {%- if way == 'touch' %}
    left join {{ ref('int_touches_matured') }} as touches_matured
        on
            performance.model = touches_matured.model
            and {{ whole_days_since('performance.date') }} = touches_matured.age_days
    {%- endif %}
    where performance.dated_by = '{{ way }}'
{%- endmacro %}

{#- The first and the last UTC day that the data covers whole, by the hours of the first and the last arrival. -#}
{% macro first_whole_date(lake_now) -%}
    {{ utc_date("(date_trunc('hour', " ~ lake_now ~ ".first_received_at) + interval 23 hours)") }}
{%- endmacro %}

{% macro last_whole_date(lake_now) -%}
    cast({{ utc_date("(date_trunc('hour', " ~ lake_now ~ ".latest_received_at) + interval 1 hour)") }} - 1 as date)
{%- endmacro %}

{#- Whole UTC days of data that lie after a day; less than nought if it is not over. -#}
{% macro whole_days_since(day, lake_now='lake_now') -%}
    date_diff('day', {{ day }}, {{ last_whole_date(lake_now) }})
{%- endmacro %}
