-- Requests of the pixel with their parameters, decoded; one without a page's id is nobody's.
--
-- Takes: logged; macros parameter_e, parameter_a, parameter_p, parameter_v, parameter_u (of a query).
-- Gives: asked, a table: source_file, line_number, file_id, received_us, ip, user_agent, referrer, page_id, app_id,
-- platform, visitor_id, stated_url.

create or replace temp table asked as
with requested as (
    select
        *,
        regexp_extract(target, '^/px\.gif\?([^#]*)', 1) as query
    from logged
    where reason is null and method = 'GET' and starts_with(target, '/px.gif?')
)

select
    source_file,
    line_number,
    file_id,
    received_us,
    ip,
    user_agent,
    referrer,
    parameter_e(query) as page_id,
    parameter_a(query) as app_id,
    parameter_p(query) as platform,
    parameter_v(query) as visitor_id,
    parameter_u(query) as stated_url
from requested;
