{{ config(materialized='ephemeral') }}

with judged as (

    select * from {{ ref('int_shares_judged') }}
    where check_name in ('event_loss', 'pixel_loss', 'message_gaps') and status in ('warn', 'error')

),

pages as (

    select
        app_id,
        platform,
        {{ utc_date('seen_at') }} as seen_date,
        case when is_seen_by_event then 'pixel_loss' else 'event_loss' end as check_name,
        coalesce(case when is_seen_by_event then session_id else hit_visitor_id end, page_id) as visit
    from {{ ref('int_pages_witnessed') }}
    where not is_bot and not (is_seen_by_pixel and is_seen_by_event)

),

-- A visit's pages are lost together.
lost_visits as (

    select
        check_name,
        app_id,
        platform,
        seen_date,
        visit,
        count(*) as page_count
    from pages
    group by all

),

lumps as (

    select
        check_name,
        app_id,
        platform,
        seen_date,
        cast(sum(page_count * page_count) as double) / sum(page_count) as mean_lump
    from lost_visits
    group by check_name, app_id, platform, seen_date

),

-- Of a loss of a visit or two all that they are would be named: their browser, their campaign, their hour.
final as (

    select
        judged.check_name,
        judged.check_date,
        judged.app_id,
        judged.platform,
        judged.part as lost_count,
        judged.check_value as lost_share
    from judged
    left join lumps
        on
            judged.check_name = lumps.check_name
            and judged.check_date = lumps.seen_date
            and judged.app_id = lumps.app_id
            and judged.platform = lumps.platform
    where judged.part / coalesce(lumps.mean_lump, judged.clump, 1) >= 10

)

select * from final
