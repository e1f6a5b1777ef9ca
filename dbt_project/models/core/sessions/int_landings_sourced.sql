{{ config(materialized='in_place_view') }}

with page_views as (

    select * from {{ ref('int_page_views_numbered') }}

),

referrers as (

    select * from {{ ref('int_referrers_classified') }}

),

landings as (

    select
        event_id,
        session_id,
        session_date,
        url,
        url_host,
        url_path,
        referrer,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_term,
        utm_content,
        click_ids,
        coalesce(utm_source, utm_medium, utm_campaign) is not null as is_tagged,
        case
            when referrer_domain = url_domain then null
            when referrer_host = url_host then null
            when {{ is_own_host('referrer_host') }} then null
            else referrer_host
        end as foreign_referrer_host
    from page_views
    where is_landing

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
