-- What became of the messages of each file, app, platform and tracker.
--
-- `resent` are the duplicates that were sent again: not the same line in a file that was delivered again.
--
-- Takes: messages, copies (of the day).
-- Gives: event_counts.

create table event_counts as
with refused as (
    select * from copies
    where kind in ('duplicate', 'id_collision')
),

judged as (
    select
        messages.*,
        refused.kind as refusal
    from messages
    left join refused on messages.file_id = refused.file_id and messages.message_ref = refused.message_ref
),

sent_again as (
    select event_id from judged
    where refusal = 'duplicate'
),

resent as (
    select
        file_id,
        message_ref,
        stream_id is not null and message_index is not null as is_streamed
    from judged
    where
        event_id in (select sent_again.event_id from sent_again)
        and refusal is distinct from 'id_collision'
    qualify
        refusal = 'duplicate'
        and row_number() over (
            partition by event_id, received_at, request_id, position
            order by refusal nulls first, source_file, message_ref
        ) = 1
)

select
    judged.file_id,
    judged.source_file,
    judged.app_id,
    judged.platform,
    judged.tracker,
    count(*) filter (where judged.refusal is null) as accepted,
    count(*) filter (where judged.refusal = 'duplicate') as duplicates,
    count(*) filter (where judged.refusal = 'id_collision') as collisions,
    count(resent.file_id) as resent,
    count(resent.file_id) filter (where resent.is_streamed) as resent_streamed
from judged
left join resent on judged.file_id = resent.file_id and judged.message_ref = resent.message_ref
group by judged.file_id, judged.source_file, judged.app_id, judged.platform, judged.tracker;
