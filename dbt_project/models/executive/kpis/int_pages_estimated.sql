with pages as (

    select * from {{ ref('int_pages_counted') }}

),

-- The cells of the estimate, of all pages and of each slice: every one loses in its own way, and only within one is
-- each page taken to have the same chance of being seen.
cells as (

    select
        reporting_date,
        app_id,
        platform,
        country,
        channel,
        cast(sum(page_views) as bigint) as page_views,
        cast(sum(page_views_without_witness) as bigint) as page_views_without_witness,
        cast(sum(pixel_hits) as bigint) as pixel_hits,
        cast(sum(event_page_views) as bigint) as event_page_views,
        cast(sum(matched) as bigint) as matched,
        case
            when country is not null then 'country'
            when channel is not null then 'channel'
            else 'all'
        end as slice
    from pages
    group by grouping sets (
        (reporting_date, app_id, platform),
        (reporting_date, app_id, platform, country),
        (reporting_date, app_id, platform, channel)
    )

),

-- A cell that no hit witnesses adds what its events counted, and no doubt of it.
estimated as (

    select
        *,
        pixel_hits + event_page_views - matched as seen_count,
        {{ chapman_unseen('pixel_hits', 'event_page_views', 'matched') }} as unseen_count,
        {{ chapman_variance('pixel_hits', 'event_page_views', 'matched') }} as unseen_variance
    from cells

),

keyed as (

    {% for grain, dimension, column, period in [
        ('day', 'all', "'all'", 'reporting_date'),
        ('week', 'all', "'all'", week_of('reporting_date')),
        ('month', 'all', "'all'", month_of('reporting_date')),
        ('day', 'platform', 'platform', 'reporting_date'),
        ('day', 'country', 'country', 'reporting_date'),
        ('day', 'channel', 'channel', 'reporting_date'),
        ('week', 'channel', 'channel', week_of('reporting_date'))
    ] %}
        select
            '{{ grain }}' as grain,
            '{{ dimension }}' as dimension,
            {{ column }} as dimension_value,
            {{ period }} as period_date,
            page_views,
            page_views_without_witness,
            pixel_hits,
            matched,
            seen_count,
            unseen_count,
            unseen_variance,
            pixel_hits = 0 and event_page_views > 0 as is_unwitnessed
        from estimated
        where slice = '{{ dimension if dimension in ('country', 'channel') else 'all' }}'
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

summed as (

    select
        grain,
        dimension,
        dimension_value,
        period_date,
        cast(sum(page_views) as bigint) as page_views,
        cast(sum(page_views_without_witness) as bigint) as page_views_without_witness,
        cast(sum(pixel_hits) as bigint) as pixel_hits,
        cast(sum(matched) as bigint) as matched,
        cast(sum(seen_count) as bigint) as seen_count,
        -- Compensated sums: the order of the cells moves no limit.
        fsum(unseen_count) as unseen_count,
        fsum(unseen_variance) as unseen_variance,
        count(*) filter (where is_unwitnessed) as unwitnessed_cells
    from keyed
    group by grain, dimension, dimension_value, period_date

)

select * from summed
