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
        referrer,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_term,
        utm_content,
        gclid,
        msclkid,
        fbclid,
        case
            when referrer_domain = url_domain then null
            when referrer_host = url_host then null
            when {{ is_own_host('referrer_host') }} then null
            else referrer_host
        end as foreign_referrer_host,
        case
            when coalesce(utm_source, utm_medium, utm_campaign) is not null then 'utm'
            when gclid is not null then 'gclid'
            when msclkid is not null then 'msclkid'
            when fbclid is not null then 'fbclid'
            else 'referrer'
        end as source_kind
    from page_views
    where is_landing

),

sourced as (

    select
        landings.event_id,
        landings.session_id,
        landings.session_date,
        landings.url,
        landings.referrer,
        landings.utm_term,
        landings.utm_content,
        landings.gclid,
        landings.msclkid,
        landings.fbclid,
        landings.utm_campaign as campaign,
        case landings.source_kind
            when 'utm' then landings.utm_source
            when 'gclid' then 'google'
            when 'msclkid' then 'bing'
            when 'fbclid' then 'facebook'
            else coalesce(referrers.source, '(direct)')
        end as source,
        case landings.source_kind
            when 'utm' then landings.utm_medium
            when 'gclid' then 'cpc'
            when 'msclkid' then 'cpc'
            when 'fbclid' then 'social'
            else coalesce(referrers.medium, '(none)')
        end as medium
    from landings
    left join referrers on landings.foreign_referrer_host = referrers.referrer_host

)

select * from sourced
