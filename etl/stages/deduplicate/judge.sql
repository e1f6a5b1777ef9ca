-- Each copy of an id with the one that is kept in its place.
--
-- Kept is the copy with the smallest (received_at, request_id, position, source file, line); one received more than
-- $reach_us after the kept copy is kept anew.
--
-- Takes: contested (keys), messages.
-- Gives: pairs: a row per copy that is not kept; is_same_text where both texts are one in the newest version.

create table ranked as
select
    contested.*,
    messages.event_id,
    messages.content_key,
    row_number() over (
        partition by messages.event_id
        order by
            contested.received_us, messages.request_id nulls last, messages.position, messages.source_file,
            messages.line_number
    ) as ordinal,
    max(contested.received_us) over (partition by messages.event_id)
    - min(contested.received_us) over (partition by messages.event_id) as span_us
from messages
inner join contested on messages.file_id = contested.file_id and messages.message_ref = contested.message_ref;

create table pairs as
with recursive kept_anew as (
    -- Of ids whose copies came over a longer time: the first, then again the first that came late enough.
    select
        event_id,
        ordinal,
        received_us
    from ranked
    where ordinal = 1 and span_us > $reach_us
    union all
    select
        kept_anew.event_id,
        min(ranked.ordinal) as ordinal,
        min(ranked.received_us) as received_us
    from kept_anew
    inner join ranked
        on kept_anew.event_id = ranked.event_id and ranked.received_us > kept_anew.received_us + $reach_us
    group by kept_anew.event_id
),

keepers as (
    select
        event_id,
        ordinal,
        1 as kept_ordinal
    from ranked
    where span_us <= $reach_us
    union all
    select
        ranked.event_id,
        ranked.ordinal,
        kept_anew.ordinal as kept_ordinal
    from ranked
    asof inner join kept_anew on ranked.event_id = kept_anew.event_id and ranked.ordinal >= kept_anew.ordinal
)

select
    ranked.id_key,
    ranked.file_id,
    ranked.message_ref,
    kept.file_id as kept_file_id,
    kept.message_ref as kept_message_ref,
    ranked.event_date,
    ranked.content_key = kept.content_key as is_same_text
from ranked
inner join keepers on ranked.event_id = keepers.event_id and ranked.ordinal = keepers.ordinal
inner join ranked as kept on ranked.event_id = kept.event_id and keepers.kept_ordinal = kept.ordinal
where ranked.ordinal <> keepers.kept_ordinal;
