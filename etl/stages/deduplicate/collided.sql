-- What messages that borrow another's id say of themselves.
--
-- Takes: collisions (file_id, message_ref), messages.
-- Gives: collided.

create table collided as
select messages.*
from messages
semi join collisions on messages.file_id = collisions.file_id and messages.message_ref = collisions.message_ref;
