-- The pixel's hits: well-formed `GET /px.gif?e=…`.
--
-- Takes: asked (see pixel_requests.sql), agents (user_agent, browser, is_touch, ua_bot_reason).
-- Gives: hits, a view (the columns of the dataset pixel_hits).

create or replace temp view hits as
select
    make_timestamptz(asked.received_us) as hit_at,
    asked.page_id,
    asked.app_id,
    case
        when asked.platform = 'web' and agents.is_touch then 'mobile_web'
        when asked.platform = 'web' then 'desktop_web'
        else asked.platform
    end as platform,
    asked.visitor_id,
    -- Across hosts browsers send the origin alone, which is no page.
    coalesce(
        asked.stated_url,
        case when regexp_matches(asked.referrer, '^[^/?#]+://[^/?#]+(/[^?#]|/?[?])') then asked.referrer end
    ) as page_url,
    asked.ip,
    asked.user_agent,
    agents.browser,
    agents.ua_bot_reason,
    asked.source_file,
    asked.line_number,
    asked.file_id,
    cast(make_timestamp(asked.received_us) as date) as hit_date
from asked
left join agents on asked.user_agent is not distinct from agents.user_agent
where asked.page_id is not null;
