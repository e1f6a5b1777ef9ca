-- Canonical events: the accepted messages of a day with their session, and what flags them.
--
-- Takes: messages (as they may be shown), event_sessions, copies, fast_views, excluded.
-- Gives: events (a view, so that wide rows go straight into a file).

create view flagged as
with repeats as (
    select * from copies
    where kind = 'repeat'
),

-- Nothing was loaded for them.
later_views as (
    select * from copies
    where kind = 'later_view'
),

refused as (
    select
        copies.file_id,
        copies.message_ref
    from copies
    where copies.kind in ('duplicate', 'id_collision')
),

placed as (
    select
        file_id,
        message_ref,
        session_start_us,
        session_event_number
    from event_sessions
    union all
    -- Nobody's: accepted, and in no session.
    select
        messages.file_id,
        messages.message_ref,
        cast(null as bigint) as session_start_us,
        cast(null as integer) as session_event_number
    from messages
    anti join refused on messages.file_id = refused.file_id and messages.message_ref = refused.message_ref
    where messages.visitor_id is null
)

select
    messages.* replace (
        case when later_views.file_id is not null then 'ajax' else messages.navigation end as navigation
    ),
    placed.session_event_number,
    cast(make_timestamp(coalesce(placed.session_start_us, epoch_us(messages.event_at))) as date)
        as session_date,
    messages.visitor_id || '-' || (placed.session_start_us // 1000) as session_id,
    placed.session_event_number is not null as is_session_event,
    case when messages.schema = 'page_view' then repeats.file_id is not null end as is_repeat,
    coalesce(messages.ua_bot_reason, case when fast_views.file_id is not null then 'rate' end) as bot_reason,
    messages.ua_bot_reason is not null or fast_views.file_id is not null as is_bot,
    excluded.file_id is not null or messages.blocked is not null as is_excluded
from messages
inner join placed
    on messages.file_id = placed.file_id and messages.message_ref = placed.message_ref
left join repeats
    on messages.file_id = repeats.file_id and messages.message_ref = repeats.message_ref
left join fast_views
    on messages.file_id = fast_views.file_id and messages.message_ref = fast_views.message_ref
left join later_views
    on messages.file_id = later_views.file_id and messages.message_ref = later_views.message_ref
left join excluded
    on messages.file_id = excluded.file_id and messages.message_ref = excluded.message_ref;

create view events as
select * exclude (ua_bot_reason, blocked, document_key, message_ref, content_key)
from flagged;
