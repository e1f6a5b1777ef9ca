{#-
    What all rows of a model must hold, in one query a model: keys that never come twice (nulls agree with nulls),
    columns that are never null, and the values that a column may have. A row returned is a rule that is broken, and by
    how many rows. With `built_by` only the days of this run are looked at: older ones were when they were built.
-#}
{% test rows_hold(model, unique=[], not_null=[], accepted={}, built_by=none) %}

with counted as (

    select {{ rule_breaks(unique, not_null, accepted) }}
    from {{ model }}
    where {{ built_days(built_by) if built_by else 'true' }}

),

broken as (

    unpivot counted
    on columns(*)
    into
    name broken_rule
    value row_count

)

select * from broken
where row_count > 0

{% endtest %}
