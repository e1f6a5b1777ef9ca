-- Which messages are refused: copies with the content of the kept one, and messages that borrow its id.
--
-- Takes: pairs (of judge.sql), same_content (copies whose text differs and whose content does not).
-- Gives: refused (copies of kind duplicate and id_collision).

create table refused as
select
    case when pairs.is_same_text or same_content.file_id is not null then 'duplicate' else 'id_collision' end as kind,
    pairs.id_key as key,
    pairs.file_id,
    pairs.message_ref,
    pairs.kept_file_id,
    pairs.kept_message_ref,
    pairs.event_date
from pairs
left join same_content on pairs.file_id = same_content.file_id and pairs.message_ref = same_content.message_ref;
