-- Page views of a document that its visitor has viewed before: nothing was loaded for them.
--
-- Known are documents that say when they were loaded (Snowplow's navigation entity), and of them those of the day.
--
-- Takes: messages, copies (of the day).
-- Gives: later_views.

create table later_views as
with refused as (
    select * from copies
    where kind <> 'repeat'
),

accepted as (
    select
        messages.*,
        row_number() over (
            partition by messages.visitor_id, messages.document_key
            order by
                messages.event_at, messages.stream_id nulls last, messages.message_index nulls last, messages.event_id
        ) as ordinal
    from messages
    anti join refused on messages.file_id = refused.file_id and messages.message_ref = refused.message_ref
    where messages.document_key is not null
)

select
    file_id,
    message_ref
from accepted
where ordinal > 1;
