-- The files of keys in which pages and documents in question came before.
--
-- Takes: history (page and document keys of known messages, each with its file), shown.
-- Gives: seen_before (filename).

create table seen_before as
select distinct history.filename
from history
where
    history.page_key in (select shown.shown_key from shown)
    or history.document_key in (select shown.shown_key from shown);
