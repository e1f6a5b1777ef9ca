{{ config(materialized='in_place_view') }}

with page_views as (

    select * from {{ ref('int_page_views_numbered') }}

),

access_policy as (

    select * from {{ ref('int_access_policy') }}

),

persons as (

    select * from {{ ref('int_persons_stitched') }}

),

-- Without a session, page views of emails above all: the person rule at their own moment.
strays as (

    select * from {{ ref('int_strays_stitched') }}

),

final as (

    select
        page_views.page_id,
        page_views.event_id,
        page_views.session_id,
        page_views.visitor_id,
        page_views.app_id,
        page_views.platform,
        page_views.viewed_at,
        page_views.session_date,
        page_views.page_type,
        page_views.url,
        page_views.url_host,
        page_views.url_path,
        page_views.referrer,
        page_views.referring_page_id,
        page_views.referring_url,
        page_views.referring_click_id,
        page_views.referring_click_target,
        page_views.navigation,
        page_views.is_repeat,
        page_views.is_landing,
        page_views.is_exit,
        page_views.page_number,
        page_views.seconds_on_page,
        page_views.engaged_seconds,
        page_views.country,
        page_views.locale,
        page_views.tracker,
        page_views.is_access,
        page_views.is_bot,
        page_views.is_excluded,
        not page_views.is_repeat
        and {{ counts('page_views') }} as is_counted,
        coalesce(persons.person_id, page_views.user_id, strays.user_id, page_views.visitor_id) as person_id,
        coalesce(page_views.navigation = 'reload', false) as is_reload,
        coalesce(page_views.navigation = 'back_forward', false) as is_back_forward
    from page_views
    cross join access_policy
    left join persons on page_views.session_id = persons.session_id
    left join strays
        on
            page_views.session_id is null
            and page_views.visitor_id = strays.visitor_id
            and page_views.viewed_at = strays.viewed_at

)

select * from final
