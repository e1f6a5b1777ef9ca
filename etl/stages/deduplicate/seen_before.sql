-- The files of keys in which pages in question came before.
--
-- Takes: history (page keys of known messages, each with its file), pages.
-- Gives: seen_before (filename).

create table seen_before as
select distinct history.filename
from history
where history.page_key in (select pages.page_key from pages);
