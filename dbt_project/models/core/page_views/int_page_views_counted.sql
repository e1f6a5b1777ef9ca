{{ config(meta={'sealed_by': 'session_date'}) }}

with page_views as (

    select * from {{ ref('int_page_views_numbered') }}
    where not is_repeat

),

witnessed as (

    select
        event_id,
        viewed_at
    from {{ ref('int_pages_witnessed') }}
    where not is_bot

),

-- Every offset of a time zone is a multiple of a quarter of an hour.
counted as (

    select
        page_views.session_id,
        page_views.session_date,
        page_views.visitor_id,
        page_views.app_id,
        page_views.platform,
        page_views.is_access,
        page_views.is_bot,
        page_views.is_excluded,
        case when page_views.session_id is null then page_views.user_id end as user_id,
        make_timestamptz(epoch_us(page_views.viewed_at) // 900000000 * 900000000) as viewed_from,
        count(*) as page_views,
        count(*) filter (where witnessed.event_id is null) as page_views_without_witness
    from page_views
    left join witnessed on page_views.event_id = witnessed.event_id and page_views.viewed_at = witnessed.viewed_at
    group by all

)

select * from counted
