{{ config(materialized='in_place_view') }}

with hits as (

    select
        page_id,
        hit_at,
        app_id,
        platform,
        visitor_id,
        browser,
        ua_bot_reason
    from {{ ref('stg_lake__pixel_hits') }}

),

repeated as (

    select page_id
    from hits
    group by page_id
    having count(*) > 1

),

single as (

    select
        hits.page_id,
        hits.hit_at,
        hits.app_id,
        hits.platform,
        hits.visitor_id,
        hits.browser,
        hits.ua_bot_reason
    from hits
    anti join repeated on hits.page_id = repeated.page_id

),

-- Of each run of hits the earliest speaks for its page, as of views of one page the first counts; ties are broken by
-- what the hit says, never by its file.
ordered as (

    select
        hits.page_id,
        hits.hit_at,
        hits.app_id,
        hits.platform,
        hits.visitor_id,
        hits.browser,
        hits.ua_bot_reason,
        lag(hits.hit_at) over (
            partition by hits.page_id
            order by hits.hit_at, hits.app_id, hits.platform, hits.visitor_id, hits.ua_bot_reason, hits.browser
        ) as hit_before_at
    from hits
    semi join repeated on hits.page_id = repeated.page_id

),

deduplicated as (

    select
        page_id,
        hit_at,
        app_id,
        platform,
        visitor_id,
        browser,
        ua_bot_reason
    from single
    union all
    select
        page_id,
        hit_at,
        app_id,
        platform,
        visitor_id,
        browser,
        ua_bot_reason
    from ordered
    where coalesce(hit_at - hit_before_at > interval '{{ var("max_lateness_days") }} days', true)

)

select * from deduplicated
