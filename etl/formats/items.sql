-- The messages of requests as they came, each with the version it says it has.
--
-- Takes: requests.
-- Variables: most_read_bytes (a longer message is so much too large that reading it would take the memory of all
-- others), newest_version.
-- Gives: versioned, one row a message and one a refused line: the columns of requests but items, ordinal (place in the
-- batch, from 0), item (the message's JSON; null of a refused line), message (the same; null of one that is not read),
-- version_text (the version it came in, `snowplow` or `export`).

create or replace temp view versioned as
with listed as (
    select
        * exclude (items),
        unnest(case when line_reason is null then items else [null] end) as item,
        generate_subscripts(case when line_reason is null then items else [null] end, 1) - 1 as ordinal
    from requests
)

select
    * replace (cast(item as varchar) as item),
    case when strlen(item) <= getvariable('most_read_bytes') then cast(item as varchar) end as message,
    case
        when line_reason is not null or strlen(item) > getvariable('most_read_bytes') then null
        when protocol = 'snowplow' then 'snowplow'
        when protocol <> 'bloodhound' then 'export'
        when starts_with(item, '{"version":' || getvariable('newest_version') || ',') then getvariable('newest_version')
        when json_type(item) <> 'OBJECT' then 'none'
        else coalesce(cast(json_extract(item, '$.version') as varchar), '1')
    end as version_text
from listed;
