-- Keys of all messages that share an id with another, where one of the two is new.
--
-- Takes: arrived (keys of new messages), nearby (keys of known ones, received about then).
-- Gives: contested (keys).

create table matched as
select nearby.*
from nearby
where nearby.id_key in (select arrived.id_key from arrived);

create table contested as
with contested_ids as (
    select id_key from matched
    union
    select id_key from arrived
    group by id_key
    having count(*) > 1
)

select * from matched
union all
select * from arrived
where id_key in (select contested_ids.id_key from contested_ids);
