-- The distinct URLs and referrers of valid messages.
--
-- Takes: decoded.
-- Gives: distinct_urls (url).

create temp table distinct_urls as
select url from decoded
where reason is null and url is not null
union
select referrer from decoded
where reason is null and referrer is not null;
