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
    What a loss rate means against the thresholds. From `loss_plain_hits` hits on the rate itself counts. Below,
    one lost view among a handful would cry wolf, so the lower end of the rate's Wilson interval (95 %, two-sided)
    must pass the threshold. Without hits the loss is unknown.
-#}
{% macro loss_status(lost, hits) -%}
    case
        when coalesce({{ hits }}, 0) = 0 then 'unknown'
        when {{ judged_loss(lost, hits) }} > {{ var('loss_error') }} then 'error'
        when {{ judged_loss(lost, hits) }} > {{ var('loss_warn') }} then 'warn'
        else 'ok'
    end
{%- endmacro %}

{% macro judged_loss(lost, hits) -%}
    case
        when {{ hits }} >= {{ var('loss_plain_hits') }} then {{ lost }}::double / {{ hits }}
        else
            (
                {{ lost }} + 1.9207::double
                - 1.96::double * sqrt({{ lost }}::double * ({{ hits }} - {{ lost }}) / {{ hits }} + 0.9604)
            ) / ({{ hits }} + 3.8415::double)
    end
{%- endmacro %}

{#- A rate over nothing is unknown, not zero. -#}
{% macro rate(part, whole) -%}
    {{ part }}::double / nullif({{ whole }}, 0)
{%- endmacro %}
