-- Lines of the kind `quoted`: fields, [time], "request", status, bytes, and mostly "referrer" "agent" and more.
--
-- Nearly every line has no escape and does not begin with a quote: cut at its quotes it reads four times as fast as by
-- the whole expression, and gives the same.
--
-- Takes: texts; macros any_time_us, asked and asked_in_full (what a request line asks for, and with blanks in it).
-- Variables: with_agent, without_agent (the whole expressions).
-- Gives: quoted_lines (the columns of texts, and those of every kind: is_format, is_comment, knows_agent, client,
-- forwarded, received_us, time_text, method, target, status, referrer, agent); knows_agent says whether the server
-- wrote who reads.

create or replace temp view quoted_lines as
with cut as (
    select
        *,
        case
            when not contains(text, '\') and not starts_with(text, '"') then string_split(text, '"')
        end as pieces
    from texts
    where kind = 'quoted'
),

headed as (
    select
        *,
        string_split(pieces[1], ' [') as head,
        coalesce(
            (len(pieces) = 3 or len(pieces) >= 7)
            and len(head) = 2
            and ends_with(head[2], '] ')
            and strpos(head[2], ']') = length(head[2]) - 1,
            false
        ) as is_plain,
        case
            when is_plain and len(pieces) = 3 and not has_agent
                then regexp_extract(pieces[3], '^ ([0-9]{3}) (?:[0-9]+|-)(?: .*)?$', 1)
            when is_plain and pieces[5] = ' ' and ((len(pieces) = 7 and pieces[7] = '') or starts_with(pieces[7], ' '))
                then regexp_extract(pieces[3], '^ ([0-9]{3}) (?:[0-9]+|-) $', 1)
        end as plain_status
    from cut
),

matched as (
    select
        * exclude (head, plain_status),
        case
            when is_plain and head[1] <> '' and plain_status <> ''
                then struct_pack(
                    fields := head[1],
                    moment := head[2][:-3],
                    request := pieces[2],
                    status := plain_status,
                    referrer := pieces[4],
                    agent := pieces[6],
                    rest := null
                )
            when is_plain or text is null then null
            when has_agent
                then regexp_extract(
                    text, getvariable('with_agent'),
                    ['fields', 'moment', 'request', 'status', 'referrer', 'agent', 'rest']
                )
            else regexp_extract(
                text, getvariable('without_agent'),
                ['fields', 'moment', 'request', 'status', 'referrer', 'agent', 'rest']
            )
        end as found
    from headed
),

asked as (
    select
        *,
        asked(found.request) as plain_request,
        asked_in_full(plain_request, found.request) as request
    from matched
)

select
    * exclude (pieces, is_plain, found, plain_request, request),
    coalesce(found.fields, '') <> '' as is_format,
    false as is_comment,
    has_agent or found.agent <> '' as knows_agent,
    found.fields as client,
    case
        when forwarded_place = 0 then null
        when is_plain then pieces[6 + 2 * forwarded_place]
        else string_split(found.rest, '"')[2 * forwarded_place]
    end as forwarded,
    coalesce(
        try(epoch_us(try_strptime(found.moment, '%d/%b/%Y:%H:%M:%S %z'))), any_time_us(found.moment)
    ) as received_us,
    found.moment as time_text,
    request.method,
    request.target,
    found.status,
    found.referrer,
    found.agent
from asked;
