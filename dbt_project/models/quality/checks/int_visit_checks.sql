{{ config(materialized='in_place_view') }}

with page_views as (

    select
        page_id,
        referring_page_id,
        referring_click_id,
        is_referring_click_found
    from {{ ref('int_page_views_numbered') }}

),

exclusion_files as (

    select bad_line_count
    from {{ ref('stg_lake__files') }}
    where inbox_folder = 'exclusions'

),

pages as (

    select distinct page_id from page_views

),

page_references as (

    select
        'referring pages' as scope,
        count(*) as reference_count,
        count(pages.page_id) as found_count
    from page_views
    left join pages on page_views.referring_page_id = pages.page_id
    where page_views.referring_page_id is not null

),

-- Clicks are looked for in the session of the page view, which is where nearly all of them are.
click_references as (

    select
        'referring clicks' as scope,
        count(*) as reference_count,
        count(*) filter (where is_referring_click_found) as found_count
    from page_views
    where referring_click_id is not null

),

all_references as (

    select * from page_references
    union all
    select * from click_references

),

reference_checks as (

    select
        'references_resolved' as check_name,
        scope,
        {{ rate('found_count', 'reference_count') }} as check_value,
        cast(0.9 as double) as threshold,
        case
            when reference_count = 0 then 'unknown'
            when found_count < 0.9 * reference_count then 'warn'
            else 'ok'
        end as status,
        case
            when found_count < 0.9 * reference_count
                then 'Page views name ' || scope || ' that nobody sent: lost, or made up by the tracker'
        end as hint
    from all_references

),

exclusion_checks as (

    select
        'exclusions_readable' as check_name,
        'rows of exclusions' as scope,
        cast(coalesce(sum(bad_line_count), 0) as double) as check_value,
        cast(0 as double) as threshold,
        case when sum(bad_line_count) > 0 then 'warn' else 'ok' end as status,
        cast(null as varchar) as hint
    from exclusion_files

),

checks as (

    select * from reference_checks
    union all
    select * from exclusion_checks

)

select * from checks
