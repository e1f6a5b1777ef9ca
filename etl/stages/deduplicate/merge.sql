-- The copies of the days concerned: what stood and still holds, and what is known now.
--
-- Of an id's copies months apart only those near the new ones were judged anew, so that what stood goes by message;
-- what is said of views goes by page and by document.
--
-- Takes: known (copies as they stood), contested (keys), shown, refused, repeated (copies).
-- Gives: decided (copies).

create table decided as
select known.*
from known
anti join contested on known.file_id = contested.file_id and known.message_ref = contested.message_ref
where known.kind in ('duplicate', 'id_collision')
union all
select known.*
from known
anti join shown on known.key = shown.shown_key
where known.kind in ('repeat', 'later_view')
union all
select * from refused
union all
select * from repeated;
