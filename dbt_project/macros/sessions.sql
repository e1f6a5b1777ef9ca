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

{#- Seconds of activity from an app's pings of one page: every so many seconds, the first after so many.
    Source: the rule of the tracker that sends them. -#}
{% macro engaged_seconds(app_id, pinged_at) -%}
    {%- set every = seconds_of_heartbeat(app_id, 'every') -%}
    {{ every }} * (count(distinct epoch_us({{ pinged_at }}) // ({{ every }} * 1000000)) - 1)
    + {{ seconds_of_heartbeat(app_id, 'first') }}
{%- endmacro %}

{#- What the setting heartbeats says of an app: its own, else that of `*`. -#}
{% macro seconds_of_heartbeat(app_id, name) -%}
    {%- set heartbeats = var('heartbeats') -%}
    case
    {%- for app in heartbeats if app != '*' %} when {{ app_id }} = {{ quoted(app) }} then {{ heartbeats[app][name] }}
    {%- endfor %} when true then {{ heartbeats['*'][name] }} end
{%- endmacro %}

{#- The UTC day of a moment. -#}
{% macro utc_date(moment) -%}
    cast(timezone('UTC', {{ moment }}) as date)
{%- endmacro %}
