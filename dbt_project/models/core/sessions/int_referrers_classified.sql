{{ config(materialized='in_place_view') }}

with page_views as (

    select * from {{ ref('int_page_views_numbered') }}

),

traffic_sources as (

    select * from {{ ref('traffic_sources') }}

),

hosts as (

    select distinct referrer_host
    from page_views
    where
        is_landing
        and referrer_host is not null

),

names as (

    select
        referrer_host,
        {{ host_names("rtrim(lower(referrer_host), '.')") }} as host_names
    from hosts
    where length(referrer_host) <= 253

),

numbered_names as (

    select
        referrer_host,
        unnest(host_names) as host_name,
        generate_subscripts(host_names, 1) as specificity
    from names

),

matched as (

    select
        numbered_names.referrer_host,
        arg_min(traffic_sources.source, numbered_names.specificity) as source,
        arg_min(traffic_sources.category, numbered_names.specificity) as category
    from numbered_names
    inner join traffic_sources on numbered_names.host_name = traffic_sources.host
    group by numbered_names.referrer_host

),

classified as (

    select
        hosts.referrer_host,
        case
            when matched.category in ('search', 'social', 'video') then matched.source
            else lower(hosts.referrer_host)
        end as source,
        case
            when matched.category = 'search' then 'organic'
            when matched.category in ('social', 'video') then 'social'
            when
                matched.category is null
                and regexp_matches(lower(hosts.referrer_host), '(^|[.-])search\.')
                then 'organic'
            else 'referral'
        end as medium
    from hosts
    left join matched on hosts.referrer_host = matched.referrer_host

)

select * from classified
