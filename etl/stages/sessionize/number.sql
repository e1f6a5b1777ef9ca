-- The accepted messages of a day, only what sessions need, with visitors as numbers.
--
-- `tie` puts messages of a visitor's one microsecond in order: by stream, index and id. Texts are compared only there.
--
-- Takes: messages, copies (of the day), open_sessions (of the day before).
-- Gives: visitors (of messages and open sessions), accepted. $sessionless are the platforms without sessions.

create table told as
with refused as (
    select * from copies
    where kind in ('duplicate', 'id_collision')
)

select
    messages.visitor_id,
    epoch_us(messages.event_at) as event_us,
    messages.stream_id,
    messages.message_index,
    messages.event_id,
    not list_contains($sessionless, messages.platform) as is_session_event,
    case
        when
            messages.schema = 'page_view'
            and coalesce(
                messages.utm_source, messages.utm_medium, messages.utm_campaign, messages.click_ids
            ) is not null
            -- Lengths keep a value that holds the separator from looking like two.
            then cast(md5_number_lower(concat_ws(
                chr(31),
                coalesce(length(messages.utm_source) || ':' || messages.utm_source, ''),
                coalesce(length(messages.utm_medium) || ':' || messages.utm_medium, ''),
                coalesce(length(messages.utm_campaign) || ':' || messages.utm_campaign, ''),
                coalesce(length(messages.click_ids) || ':' || messages.click_ids, '')
            )) >> 1 as bigint)
    end as campaign_key,
    messages.file_id,
    messages.message_ref
from messages
anti join refused on messages.file_id = refused.file_id and messages.message_ref = refused.message_ref;

create table visitors as
with names as (
    select visitor_id from told
    union
    select visitor_id from open_sessions
)

select
    visitor_id,
    cast(row_number() over () as integer) as visitor
from names;

create table accepted as
with numbered as (
    select
        told.*,
        visitors.visitor
    from told
    inner join visitors on told.visitor_id = visitors.visitor_id
),

simultaneous as (
    select
        visitor,
        event_us
    from numbered
    group by visitor, event_us
    having count(*) > 1
),

ties as (
    select
        numbered.file_id,
        numbered.message_ref,
        row_number() over (
            partition by numbered.visitor, numbered.event_us
            order by numbered.stream_id nulls last, numbered.message_index nulls last, numbered.event_id
        ) as tie
    from numbered
    semi join simultaneous
        on numbered.visitor = simultaneous.visitor and numbered.event_us = simultaneous.event_us
)

select
    numbered.visitor,
    numbered.event_us,
    cast(coalesce(ties.tie, 0) as integer) as tie,
    numbered.is_session_event,
    numbered.campaign_key,
    numbered.file_id,
    numbered.message_ref
from numbered
left join ties on numbered.file_id = ties.file_id and numbered.message_ref = ties.message_ref;

drop table told;
