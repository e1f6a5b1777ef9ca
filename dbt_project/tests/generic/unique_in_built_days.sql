{#- As `unique`, over the days of this run: an older day was checked when it was built. -#}
{% test unique_in_built_days(model, column_name, date_column) %}

with built as (

    select {{ column_name }} as key_value
    from {{ model }}
    where {{ built_days(date_column) }}

),

repeated as (

    select
        key_value,
        count(*) as row_count
    from built
    group by key_value
    having count(*) > 1

)

select * from repeated

{% endtest %}
