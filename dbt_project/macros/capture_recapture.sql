{#-
    Chapman's estimator of how many page views there were, from two independent witnesses: n1 pixel hits,
    n2 events, m seen by both.
        estimate = (n1 + 1)(n2 + 1) / (m + 1) - 1
        variance = (n1 + 1)(n2 + 1)(n1 - m)(n2 - m) / ((m + 1)^2 (m + 2))
    The 95 % interval is the normal one: estimate -/+ 1.959964 standard deviations. Without a single hit
    there is no second witness, and nothing is known.
-#}
{% macro chapman_estimate(pixel, events, matched) -%}
    case
        when {{ pixel }} > 0
            then ({{ pixel }} + 1.0::double) * ({{ events }} + 1) / ({{ matched }} + 1) - 1
    end
{%- endmacro %}

{% macro chapman_margin(pixel, events, matched) -%}
    case
        when {{ pixel }} > 0
            then 1.959963984540054::double * sqrt(
                ({{ pixel }} + 1.0::double) * ({{ events }} + 1)
                * ({{ pixel }} - {{ matched }}) * ({{ events }} - {{ matched }})
                / (({{ matched }} + 1.0::double) * ({{ matched }} + 1) * ({{ matched }} + 2))
            )
    end
{%- endmacro %}

{#-
    Bounds that hold when the witnesses are not independent. What either saw was there: never fewer than that. What one
    and the same blocker hides from both leaves no trace in either; how much that is at most is an assumption, the
    variable `blocked_share_bound`.
-#}
{% macro dependent_low(pixel, events, matched) -%}
    case when {{ pixel }} > 0 then ({{ pixel }} + {{ events }} - {{ matched }})::double end
{%- endmacro %}

{% macro dependent_high(pixel, events, matched) -%}
    ({{ chapman_estimate(pixel, events, matched) }} + {{ chapman_margin(pixel, events, matched) }})
    / (1 - {{ var('blocked_share_bound') }}::double)
{%- endmacro %}

{#- A rate over nothing is unknown, not zero. -#}
{% macro rate(part, whole) -%}
    {{ part }}::double / nullif({{ whole }}, 0)
{%- endmacro %}
