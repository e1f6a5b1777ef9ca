{{ config(materialized='in_place_days', meta={'built_by': 'session_date', 'sealed_by': 'session_date'}) }}

with events as (

    select
        event_id,
        event_at,
        visitor_id,
        user_id,
        session_id,
        session_date,
        is_bot,
        is_excluded,
        data_json
    from {{ ref('stg_lake__events') }}
    where
        schema_name = 'feature_use'
        and {{ built_sessions() }}

),

read_data as (

    select
        event_id,
        event_at,
        visitor_id,
        user_id,
        session_id,
        session_date,
        trim(data_json ->> '$.feature') as feature,
        coalesce(is_bot, false) as is_bot,
        coalesce(is_excluded, false) as is_excluded
    from events

),

named as (

    select * from read_data
    where feature <> ''

)

select * from named
