-- Page views of pages, and of documents, that were viewed more than once, accepted or not.
--
-- Takes: arrived, before (keys of the files in which what is in question came before), shown.
-- Gives: views: a row for each page and each document of a view; kind is what its views after the first are.

create table viewed as
with concerned as (
    select * from arrived
    union all
    select * from before
),

as_pages as (
    select
        'repeat' as kind,
        page_key as shown_key,
        file_id,
        message_ref,
        event_date
    from concerned
),

as_documents as (
    select
        'later_view' as kind,
        document_key as shown_key,
        file_id,
        message_ref,
        event_date
    from concerned
),

together as (
    select * from as_pages
    union all
    select * from as_documents
)

-- What new messages view is all in question.
select * from together
where shown_key in (select shown.shown_key from shown);

create table views as
with viewed_again as (
    select shown_key from viewed
    group by shown_key
    having count(*) > 1
)

select * from viewed
where shown_key in (select viewed_again.shown_key from viewed_again);
