{{ config(materialized='in_place_days', meta={'built_by': 'session_date', 'sealed_by': 'session_date'}) }}

with events as (

    select
        event_id,
        event_at,
        session_date,
        data_json
    from {{ ref('stg_lake__events') }}
    where
        schema_name = 'refund'
        and {{ built_sessions() }}

),

typed as (

    select
        event_id,
        event_at as refunded_at,
        session_date,
        nullif(trim(data_json ->> '$.order_id'), '') as order_id,
        {{ bounded_money("try_cast(data_json ->> '$.revenue' as decimal(18, 4))") }} as revenue
    from events

)

select * from typed
