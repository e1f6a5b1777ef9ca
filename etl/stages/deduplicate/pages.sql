-- The pages about which new messages, or other copies of their ids, say anything.
--
-- Takes: arrived, contested (keys).
-- Gives: pages (page_key).

create table pages as
select page_key from arrived
where page_key is not null
union
select page_key from contested
where page_key is not null;
