{#-
    Chapman's estimator of how many page views there were, from two independent witnesses: m pages seen by both, a by one
    alone, b by the other alone.
        seen     M   = m + a + b
        unseen   f   = a b / (m + 1)
        variance var = (m + a + 1)(m + b + 1) a b / ((m + 1)^2 (m + 2))
    The estimate is M + f. Of several cells M, f and var are added and the limits drawn around the sums: cells that lose
    differently would contradict the assumption that every page has the same chance.
-#}
{% macro chapman_unseen(pixel, events, matched) -%}
    ({{ pixel }} - {{ matched }})::double * ({{ events }} - {{ matched }}) / ({{ matched }} + 1)
{%- endmacro %}

{% macro chapman_variance(pixel, events, matched) -%}
    ({{ pixel }} + 1)::double * ({{ events }} + 1)
    * ({{ pixel }} - {{ matched }}) * ({{ events }} - {{ matched }})
    / (({{ matched }} + 1)::double * ({{ matched }} + 1) * ({{ matched }} + 2))
{%- endmacro %}

{#-
    The 95 % limits, log-normal around what neither saw, so that the lower one never falls below what was seen:
    floor(M + f / C) and ceil(M + f C) with C = exp(1.96 sqrt(ln(1 + var / f^2))); without anything unseen both are M.
    Source: the limits of Burnham et al. (1987) for capture and recapture, as in Chao (1989), Biometrics 45.
-#}
{% macro chapman_low(seen, unseen, variance) -%}
    case
        when {{ unseen }} > 0 then floor({{ seen }} + {{ unseen }} / {{ chapman_spread(unseen, variance) }})
        else {{ seen }}::double
    end
{%- endmacro %}

{% macro chapman_high(seen, unseen, variance) -%}
    case
        when {{ unseen }} > 0 then ceil({{ seen }} + {{ unseen }} * {{ chapman_spread(unseen, variance) }})
        else {{ seen }}::double
    end
{%- endmacro %}

{% macro chapman_spread(unseen, variance) -%}
    exp(1.96::double * sqrt(ln(1 + {{ variance }} / ({{ unseen }} * {{ unseen }}))))
{%- endmacro %}

{#-
    The columns seen_count, unseen_count and unseen_variance of a cell with the columns pixel_hits, event_page_views and
    matched; without a single hit there is no second witness, and nothing is known.
-#}
{% macro chapman_cell() -%}
    case when pixel_hits > 0 then pixel_hits + event_page_views - matched end as seen_count,
    case when pixel_hits > 0 then {{ chapman_unseen('pixel_hits', 'event_page_views', 'matched') }} end
        as unseen_count,
    case when pixel_hits > 0 then {{ chapman_variance('pixel_hits', 'event_page_views', 'matched') }} end
        as unseen_variance
{%- endmacro %}

{#-
    A bound that holds when the witnesses are not independent. What one and the same blocker hides from both leaves no
    trace in either; how much that is at most is an assumption, the setting blocked_share_bound.
-#}
{% macro dependent_high(high) -%}
    {{ high }} / (1 - {{ var('blocked_share_bound') }}::double)
{%- endmacro %}

{#- A rate over nothing is unknown, not zero. -#}
{% macro rate(part, whole) -%}
    {{ part }}::double / nullif({{ whole }}, 0)
{%- endmacro %}

{#- Whether a page view and a hit of its page are near enough in time to be one page. -#}
{% macro lies_near(viewed_at, hit_at) -%}
    {{ viewed_at }} >= {{ hit_at }} - interval '{{ var("witness_days") }} days'
    and {{ viewed_at }} <= {{ hit_at }} + interval '{{ var("witness_days") }} days'
{%- endmacro %}
