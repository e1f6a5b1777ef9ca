-- Which accepted page views repeat another of the same visitor and page, and which are later views of a document.
--
-- Of a visitor's accepted views of one page, or one document, in session order, the first counts, and each that comes
-- more than $reach_us after the one before it, a repeat or not.
--
-- Takes: views, messages, refused (now), known (copies of these days as they stood), contested (keys, about which what
-- stood holds no more).
-- Gives: repeated (copies of the kinds repeat and later_view).

create table refusals as
select
    file_id,
    message_ref
from refused
union all
select
    known.file_id,
    known.message_ref
from known
anti join contested on known.file_id = contested.file_id and known.message_ref = contested.message_ref
where known.kind in ('duplicate', 'id_collision');

create table accepted as
select
    views.*,
    messages.visitor_id,
    -- A document has no name of its own: its key is all there is.
    case when views.kind = 'repeat' then messages.page_id end as page_id,
    messages.event_at,
    messages.stream_id,
    messages.message_index,
    messages.event_id
from messages
inner join views on messages.file_id = views.file_id and messages.message_ref = views.message_ref
anti join refusals on messages.file_id = refusals.file_id and messages.message_ref = refusals.message_ref;

create table repeated as
with ordered as (
    select
        *,
        epoch_us(event_at) - lag(epoch_us(event_at)) over view_order as since_before_us
    from accepted
    window view_order as (
        partition by kind, shown_key, visitor_id, page_id
        order by event_at, stream_id nulls last, message_index nulls last, event_id
    )
),

headed as (
    select
        *,
        since_before_us is null or since_before_us > $reach_us as is_first
    from ordered
),

named as (
    select
        *,
        last_value(case when is_first then file_id end ignore nulls) over view_order as kept_file_id,
        last_value(case when is_first then message_ref end ignore nulls) over view_order as kept_message_ref
    from headed
    window view_order as (
        partition by kind, shown_key, visitor_id, page_id
        order by event_at, stream_id nulls last, message_index nulls last, event_id
        rows between unbounded preceding and current row
    )
)

select
    kind,
    shown_key as key,
    file_id,
    message_ref,
    kept_file_id,
    kept_message_ref,
    event_date
from named
where not is_first;
