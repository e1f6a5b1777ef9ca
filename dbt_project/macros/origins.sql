{#- A page's name: its host and path. A page that neither an event nor a hit names is `(unknown)`, in every table. -#}
{% macro page_name(host, path) -%}
    coalesce(coalesce({{ host }}, '') || {{ path }}, '(unknown)')
{%- endmacro %}

{#-
    CTEs that end in `clicks`: what the click ids of tagged pages say, by their `key`. Of `tagged` they take key,
    utm_source and click_ids.
-#}
{% macro click_sources(tagged, key) -%}
found_ids as (

    select
        {{ key }},
        utm_source,
        unnest(json_keys(click_ids)) as click_id
    from {{ tagged }}
    where click_ids is not null

),

named_ids as (

    select
        found_ids.{{ key }},
        click_ids.source,
        click_ids.medium,
        click_ids.precedence,
        coalesce(
            found_ids.utm_source is null
            or trim(found_ids.utm_source) = click_ids.source
            or list_contains(string_split(click_ids.aliases, ' '), trim(found_ids.utm_source)),
            false
        ) as is_of_source
    from found_ids
    inner join {{ ref('click_ids') }} as click_ids on found_ids.click_id = click_ids.click_id

),

-- A link to an ad that names another source says nothing of the medium.
clicks as (

    select
        {{ key }},
        arg_min(source, precedence) as source,
        arg_min(medium, precedence) as medium
    from named_ids
    where is_of_source
    group by {{ key }}

),
{%- endmacro %}

{#- CTEs from `combinations` (source, medium, campaign) to `grouped`, the same with their channel. -#}
{% macro channels_of_combinations() -%}
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
    from {{ ref('traffic_sources') }}
    where category <> 'none'
    group by source
    union
    select
        host as source_name,
        category
    from {{ ref('traffic_sources') }}

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
    from {{ ref('click_ids') }} as click_ids
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
{%- endmacro %}
