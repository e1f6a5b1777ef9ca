-- Keys of page views of pages that were viewed more than once, accepted or not.
--
-- Takes: arrived, before (keys of the files in which pages in question came before), pages.
-- Gives: views (keys).

create table viewed as
select * from arrived
where page_key is not null
union all
select * from before
where page_key in (select pages.page_key from pages);

create table views as
with viewed_again as (
    select page_key from viewed
    group by page_key
    having count(*) > 1
)

select * from viewed
where page_key in (select viewed_again.page_key from viewed_again);
