{{ config(materialized='ephemeral') }}

select
    session_id,
    session_date,
    visitor_id,
    ip,
    user_agent,
    event_id,
    event_at,
    url,
    url_domain,
    referrer,
    referrer_domain
from {{ ref('stg_lake__events') }}
where
    schema_name = 'page_view'
    and platform in ({{ quoted_list(var('bot_platforms')) }})
    and session_id is not null
    and {{ built_sessions() }}
