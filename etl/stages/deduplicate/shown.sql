-- The pages and documents about which new messages, or other copies of their ids, say anything.
--
-- Takes: arrived, contested (keys).
-- Gives: shown (shown_key: of a page, or of a document).

create table shown as
with concerned as (
    select * from arrived
    union all
    select * from contested
)

select page_key as shown_key from concerned
where page_key is not null
union
select document_key as shown_key from concerned
where document_key is not null;
