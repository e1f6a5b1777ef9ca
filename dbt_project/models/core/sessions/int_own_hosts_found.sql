{{ config(materialized='in_place_days', meta={'built_by': 'session_date', 'sealed_by': 'session_date'}) }}

-- Most formats of access logs name no host, so that a site's own pages look like another's that sent people.
with page_views as (

    select
        session_id,
        session_date,
        visitor_id,
        app_id,
        url_path,
        page_number,
        {{ bare_host('referrer_host') }} as own_host,
        regexp_extract(referrer, '^[a-zA-Z]+://[^/?#]+(/[^/?#][^?#]*)', 1) as referrer_path
    from {{ ref('int_page_views_numbered') }}
    where
        url_host is null
        and session_id is not null
        and not is_repeat
        and not is_bot
        and not is_excluded
        and {{ built_days('session_date') }}

),

pages as (

    select distinct
        session_date,
        app_id,
        url_path
    from page_views

),

seen as (

    select
        session_id,
        url_path,
        min(page_number) as page_number
    from page_views
    group by all

),

-- Of any host a path may be "/"; a deeper one that is a page here, and that the visitor has just been on, is no chance.
referred as (

    select
        page_views.session_date,
        page_views.app_id,
        page_views.own_host,
        page_views.visitor_id,
        pages.url_path is not null as is_page,
        seen.session_id is not null as is_followed
    from page_views
    left join pages
        on
            page_views.session_date = pages.session_date
            and page_views.app_id = pages.app_id
            and page_views.referrer_path = pages.url_path
    left join seen
        on
            page_views.session_id = seen.session_id
            and page_views.referrer_path = seen.url_path
            and page_views.page_number > seen.page_number
    where
        page_views.own_host is not null
        and page_views.referrer_path <> ''

),

counted as (

    select
        session_date,
        app_id,
        own_host,
        count(*) as referred_views,
        count(*) filter (where is_page) as views_of_pages,
        count(distinct visitor_id) filter (where is_followed) as visitors_following
    from referred
    group by all

),

-- Anybody can send any referrer: one visitor proves nothing, and an engine or network is nobody's own.
final as (

    select counted.*
    from counted
    where
        counted.visitors_following >= 2
        and length(counted.own_host) <= 253
        and 2 * counted.views_of_pages >= counted.referred_views
        and not exists (
            select 1 from {{ ref('traffic_sources') }} as known
            where list_contains({{ host_names('counted.own_host') }}, known.host)
        )

)

select * from final
