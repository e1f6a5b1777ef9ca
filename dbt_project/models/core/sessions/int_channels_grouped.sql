{{ config(materialized='in_place_view') }}

with landings as (

    select * from {{ ref('int_landings_sourced') }}

),

spend as (

    select * from {{ ref('stg_lake__spend') }}

),

traffic_sources as (

    select * from {{ ref('traffic_sources') }}

),

click_ids as (

    select * from {{ ref('click_ids') }}

),

combinations as (

    select
        source,
        medium,
        campaign
    from landings
    where {{ built_days('session_date') }}
    union
    select
        source,
        medium,
        campaign
    from spend

),

sources as (

    select distinct
        source,
        lower(trim(source)) as source_key
    from combinations
    where source is not null

),

-- A source may be a name ("google") or a host ("m.facebook.com"): names come first.
nameable_sources as (

    select
        source,
        [source_key] || {{ host_names('source_key') }} as source_names
    from sources
    where length(source_key) <= 253

),

numbered_names as (

    select
        source,
        unnest(source_names) as source_name,
        generate_subscripts(source_names, 1) as specificity
    from nameable_sources

),

known_names as (

    select
        source as source_name,
        min(category) as category
    from traffic_sources
    where category <> 'none'
    group by source
    union
    select
        host as source_name,
        category
    from traffic_sources

),

categories as (

    select
        numbered_names.source,
        arg_min(known_names.category, numbered_names.specificity) as category
    from numbered_names
    inner join known_names on numbered_names.source_name = known_names.source_name
    group by numbered_names.source

),

-- What links call an ad platform: only the whole value, for a country's domain may be called the same.
aliases as (

    select
        known_names.category,
        unnest(string_split(click_ids.aliases, ' ')) as source_key
    from click_ids
    inner join known_names on click_ids.source = known_names.source_name
    -- A banner bought of a search engine's network was not searched for.
    where click_ids.medium <> 'display'

),

alias_categories as (

    select
        source_key,
        min(category) as category
    from aliases
    group by source_key

),

prepared as (

    select
        combinations.source,
        combinations.medium,
        combinations.campaign,
        coalesce(lower(trim(combinations.source)), '') as source_key,
        coalesce(lower(trim(combinations.medium)), '') as medium_key,
        coalesce(lower(trim(combinations.campaign)), '') as campaign_key,
        coalesce(categories.category, alias_categories.category, 'none') as category
    from combinations
    left join categories on combinations.source = categories.source
    left join alias_categories on lower(trim(combinations.source)) = alias_categories.source_key

),

grouped as (

    select
        source,
        medium,
        campaign,
        {{ default_channel_group(ref('channel_rules'), 'source_key', 'medium_key', 'campaign_key', 'category') }}
            as channel
    from prepared

)

select * from grouped
