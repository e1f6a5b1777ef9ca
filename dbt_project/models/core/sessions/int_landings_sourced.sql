{{ config(materialized='in_place_view') }}

with page_views as (

    select * from {{ ref('int_page_views_numbered') }}

),

referrers as (

    select * from {{ ref('int_referrers_classified') }}

),

own_hosts as (

    select
        session_date,
        app_id,
        own_host
    from {{ ref('int_own_hosts_found') }}

),

landings as (

    select
        page_views.event_id,
        page_views.session_id,
        page_views.session_date,
        page_views.url,
        page_views.url_host,
        page_views.url_path,
        page_views.referrer,
        page_views.utm_source,
        page_views.utm_medium,
        page_views.utm_campaign,
        page_views.utm_term,
        page_views.utm_content,
        page_views.click_ids,
        coalesce(page_views.utm_source, page_views.utm_medium, page_views.utm_campaign) is not null as is_tagged,
        case
            when page_views.referrer_domain = page_views.url_domain then null
            when page_views.referrer_host = page_views.url_host then null
            when {{ is_own_host('page_views.referrer_host') }} then null
            when page_views.url_host is null and own_hosts.own_host is not null then null
            else page_views.referrer_host
        end as foreign_referrer_host
    from page_views
    left join own_hosts
        on
            page_views.session_date = own_hosts.session_date
            and page_views.app_id = own_hosts.app_id
            and {{ bare_host('page_views.referrer_host') }} = own_hosts.own_host
    where page_views.is_landing

),

{{ click_sources('landings', 'event_id') }}

sourced as (

    select
        landings.event_id,
        landings.session_id,
        landings.session_date,
        landings.url,
        landings.url_host,
        landings.url_path,
        landings.referrer,
        landings.utm_term,
        landings.utm_content,
        landings.click_ids,
        landings.foreign_referrer_host as referrer_host,
        landings.utm_campaign as campaign,
        case
            when landings.is_tagged or clicks.event_id is not null then coalesce(landings.utm_source, clicks.source)
            else coalesce(referrers.source, '(direct)')
        end as source,
        case
            when landings.is_tagged or clicks.event_id is not null then coalesce(landings.utm_medium, clicks.medium)
            else coalesce(referrers.medium, '(none)')
        end as medium
    from landings
    left join clicks on landings.event_id = clicks.event_id
    left join referrers on landings.foreign_referrer_host = referrers.referrer_host

)

select * from sourced
