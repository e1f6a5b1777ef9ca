{#- A 95 % limit of the share that some cases of all stand for (Wilson); null where there are none. -#}
{% macro wilson_limit(part, whole, side) -%}
    case
        when {{ whole }} > 0
            then (
                {{ part }} + 1.9207 {{ side }} 1.96
                * sqrt(greatest({{ part }} * ({{ whole }} - {{ part }}) / {{ whole }}, 0) + 0.9604)
            ) / ({{ whole }} + 3.8415)
    end
{%- endmacro %}

{#-
    A limit of what was lost after the last message of so many streams, each index being lost by itself with this chance:
    behind each end chance / (1 - chance), which scatters with chance / (1 - chance)^2.
-#}
{% macro tail_limit(streams, chance, side) -%}
    greatest(
        {{ streams }} * {{ chance }} / nullif(1 - {{ chance }}, 0)
        {{ side }} 1.96 * sqrt({{ streams }} * greatest({{ chance }}, 0)) / nullif(1 - {{ chance }}, 0),
        0
    )
{%- endmacro %}

{#- How many missing messages go together: the length of the gap in which one of them lies, on average. -#}
{% macro mean_gap(squared_gaps, missing) -%}
    coalesce({{ squared_gaps }} / nullif({{ missing }}, 0), 1)
{%- endmacro %}
