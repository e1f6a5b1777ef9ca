-- Requests of the pixel with their parameters, decoded; one without a page's id is nobody's.
--
-- Takes: logged; macros sent_e, sent_a, sent_p, sent_v, sent_u (what a query says of each, as it stands there),
-- decoded_value.
-- Gives: asked, a table: source_file, line_number, file_id, received_us, ip, user_agent, referrer, page_id, app_id,
-- platform, visitor_id, stated_url.

create or replace temp table asked as
with requested as (
    select
        *,
        regexp_extract(target, '^/px\.gif\?([^#]*)', 1) as query
    from logged
    where reason is null and method = 'GET' and starts_with(target, '/px.gif?')
),

sent as (
    select
        *,
        sent_e(query) as page_id,
        sent_a(query) as app_id,
        sent_p(query) as platform,
        sent_v(query) as visitor_id,
        sent_u(query) as stated_url
    from requested
)

select
    source_file,
    line_number,
    file_id,
    received_us,
    ip,
    user_agent,
    referrer,
    decoded_value(page_id) as page_id,
    decoded_value(app_id) as app_id,
    decoded_value(platform) as platform,
    decoded_value(visitor_id) as visitor_id,
    decoded_value(stated_url) as stated_url
from sent;
