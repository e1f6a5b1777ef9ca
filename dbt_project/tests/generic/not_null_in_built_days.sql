{#- As `not_null`, over the days of this run: an older day was checked when it was built. -#}
{% test not_null_in_built_days(model, column_name, date_column) %}

with built as (

    select {{ column_name }} as key_value
    from {{ model }}
    where {{ built_days(date_column) }}

),

missing as (

    select * from built
    where key_value is null

)

select * from missing

{% endtest %}
