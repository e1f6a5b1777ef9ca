-- More copies of ids that are contested already, from days further away.
--
-- Takes: contested (keys), further (keys of those days).
-- Gives: widened (keys): contested, and the copies found.

create table widened as
select * from contested
union all
select * from further
where id_key in (select contested.id_key from contested);
