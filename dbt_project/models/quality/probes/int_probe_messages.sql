{{ config(materialized='in_place_days', meta={'built_by': 'event_date', 'sealed_by': 'event_date'}) }}

with events as (

    select * from {{ ref('stg_lake__events') }}
    where
        app_id = '{{ var("probe_app_id") }}'
        and {{ built_days('event_date') }}

),

-- What etl/tools/probe.py digests, in its order.
digested as (

    select
        event_id,
        received_at,
        event_date,
        schema_name,
        md5(concat_ws(
            chr(10),
            coalesce(schema_name, ''),
            coalesce(app_id, ''),
            coalesce(platform, ''),
            coalesce(tracker, ''),
            coalesce(stream_id, ''),
            coalesce(cast(message_index as varchar), ''),
            coalesce(visitor_id, ''),
            coalesce(page_id, ''),
            coalesce(url, ''),
            coalesce(referrer, ''),
            coalesce(user_agent, ''),
            coalesce(country, ''),
            coalesce(locale, ''),
            coalesce(cast(epoch_ms(created_at) as varchar), ''),
            coalesce(
                json_extract_string(data_json, '$.word'), json_extract_string(data_json, '$.title'), ''
            )
        )) as content_digest
    from events

)

select * from digested
