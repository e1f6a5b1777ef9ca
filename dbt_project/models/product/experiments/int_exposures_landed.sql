{{ config(materialized='in_place_days', meta={'built_by': 'event_date', 'sealed_by': 'event_date'}) }}

with messages as (

    select
        event_date,
        visitor_id,
        data_json
    from {{ ref('stg_lake__messages') }}
    where
        schema_name = 'experiment_exposure'
        and {{ built_days('event_date') }}

),

read_data as (

    select
        event_date,
        visitor_id,
        data_json ->> '$.experiment' as experiment,
        data_json ->> '$.variant' as variant
    from messages

)

select * from read_data
