{#- Which rule made a session a bot's: the first, in the order of `bot_reasons`, among its events. -#}
{% macro first_bot_reason(column) -%}
    coalesce(
        ({{ bot_reasons_list() }})[min(list_position({{ bot_reasons_list() }}, {{ column }}))],
        min({{ column }})
    )
{%- endmacro %}

{% macro bot_reasons_list() -%}
    [{% for reason in var('bot_reasons') %}'{{ reason }}'{{ ', ' if not loop.last }}{% endfor %}]
{%- endmacro %}

{#- Seconds between two moments, with their fraction: nothing is rounded. -#}
{% macro seconds_between(earlier, later) -%}
    (epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1e6
{%- endmacro %}

{#- Seconds of activity from pings every ten seconds, the first after five: their distinct tens of seconds.
    Source: the rule of the tracker that sends them. -#}
{% macro engaged_seconds(pinged_at) -%}
    10 * (count(distinct epoch_us({{ pinged_at }}) // 10000000) - 1) + 5
{%- endmacro %}

{#- The UTC day of a moment. -#}
{% macro utc_date(moment) -%}
    cast(timezone('UTC', {{ moment }}) as date)
{%- endmacro %}
