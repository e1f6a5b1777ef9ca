-- The pixel's hits: well-formed `GET /px.gif?e=…`, with decoded parameters.
--
-- Takes: logged, agents (user_agent, browser, is_touch, ua_bot_reason); macros parameter_e, parameter_a, parameter_p,
-- parameter_v, parameter_u (of a query).
-- Gives: hits (the columns of the dataset pixel_hits).

create or replace temp table hits as
with requested as (
    select
        *,
        regexp_extract(target, '^/px\.gif\?([^#]*)', 1) as query
    from logged
    where reason is null and method = 'GET' and starts_with(target, '/px.gif?')
),

named as (
    select
        *,
        parameter_e(query) as page_id,
        parameter_a(query) as app_id,
        parameter_p(query) as platform,
        parameter_v(query) as visitor_id,
        parameter_u(query) as stated_url
    from requested
)

select
    make_timestamptz(named.received_us) as hit_at,
    named.page_id,
    named.app_id,
    case
        when named.platform = 'web' and agents.is_touch then 'mobile_web'
        when named.platform = 'web' then 'desktop_web'
        else named.platform
    end as platform,
    named.visitor_id,
    -- Across hosts browsers send the origin alone, which is no page.
    coalesce(
        named.stated_url,
        case when regexp_matches(named.referrer, '^[^/?#]+://[^/?#]+(/[^?#]|/?[?])') then named.referrer end
    ) as page_url,
    named.ip,
    named.user_agent,
    agents.browser,
    agents.ua_bot_reason,
    named.source_file,
    named.line_number,
    named.file_id,
    cast(make_timestamp(named.received_us) as date) as hit_date
from named
left join agents on named.user_agent is not distinct from agents.user_agent
where named.page_id is not null;
