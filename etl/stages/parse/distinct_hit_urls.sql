-- The distinct URLs of the pages that hits name.
--
-- Takes: hits.
-- Gives: distinct_urls (url).

create temp table distinct_urls as
select distinct page_url as url from hits
where page_url is not null;
