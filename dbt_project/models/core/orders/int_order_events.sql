{{ config(materialized='in_place_days', meta={'built_by': 'session_date', 'sealed_by': 'session_date'}) }}

with events as (

    select
        event_id,
        request_id,
        app_id,
        platform,
        event_at,
        received_at,
        batch_position,
        visitor_id,
        user_id,
        session_id,
        session_date,
        is_bot,
        is_excluded,
        data_json
    from {{ ref('stg_lake__events') }}
    where
        schema_name = 'order'
        and {{ built_sessions() }}

),

read_data as (

    select
        *,
        data_json ->> '$.order_id' as order_id,
        data_json ->> '$.revenue' as revenue_text,
        data_json ->> '$.currency' as currency_text,
        data_json ->> '$.quantity' as quantity_text
    from events

),

typed as (

    select
        event_id,
        request_id,
        app_id,
        platform,
        event_at,
        received_at,
        batch_position,
        visitor_id,
        user_id,
        session_id,
        session_date,
        nullif(trim(order_id), '') as order_id,
        {{ bounded_money('try_cast(revenue_text as decimal(18, 4))') }} as revenue,
        coalesce(nullif(upper(trim(currency_text)), ''), '{{ var("reporting_currency") }}') as currency,
        try_cast(quantity_text as bigint) as quantity,
        coalesce(is_bot, false) as is_bot,
        coalesce(is_excluded, false) as is_excluded
    from read_data

)

select * from typed
