-- Hits beside what the URL of their page tells.
--
-- Takes: hits, urls.
-- Gives: wide_hits (the columns of the dataset pixel_hits).

create or replace temp view wide_hits as
select
    hits.*,
    urls.url_host,
    urls.url_path,
    urls.utm_source,
    urls.utm_medium,
    urls.utm_campaign,
    urls.click_ids
from hits
left join urls on hits.page_url = urls.url;
