-- The page views of $day that lie inside a window which holds too many of their visitor's.
--
-- Takes: messages of the day and its neighbours, copies of the same days, windows (width_us; page_views: too many).
-- Gives: fast_views. $platforms are those on which a visitor can be a bot.

create table views as
with refused as (
    select * from copies
    where kind in ('duplicate', 'id_collision')
)

select
    messages.visitor_id,
    messages.file_id,
    messages.message_ref,
    epoch_us(messages.event_at) as event_us
from messages
anti join refused on messages.file_id = refused.file_id and messages.message_ref = refused.message_ref
where messages.schema = 'page_view' and list_contains($platforms, messages.platform);

create table fast_views as
with busy as (
    select *
    from views
    where visitor_id in (
        select more.visitor_id from views as more
        group by more.visitor_id
        having count(*) >= (select min(windows.page_views) from windows)
    )
),

-- A window begins with a view; `first_view` is the place of those with which one that is too full does.
opened as (
    select
        busy.*,
        windows.width_us,
        windows.page_views,
        row_number() over visits as place,
        case
            when lead(busy.event_us, windows.page_views - 1) over visits - busy.event_us <= windows.width_us
                then row_number() over visits
        end as first_view
    from busy
    cross join windows
    window visits as (
        partition by busy.visitor_id, windows.width_us, windows.page_views
        order by busy.event_us, busy.file_id, busy.message_ref
    )
),

judged as (
    select
        *,
        max(first_view) over (
            partition by visitor_id, width_us, page_views
            order by event_us, file_id, message_ref
        ) > place - page_views as is_fast
    from opened
)

select distinct
    file_id,
    message_ref
from judged
where is_fast and cast(make_timestamp(event_us) as date) = cast($day as date);
