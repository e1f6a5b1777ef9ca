{{ config(meta={'sealed_by': 'date'}) }}

with pages as (

    select
        app_id,
        platform,
        browser,
        country,
        tracker,
        hit_visitor_id,
        is_seen_by_pixel,
        is_seen_by_event,
        {{ utc_date('seen_at') }} as seen_date
    from {{ ref('int_pages_witnessed') }}
    where not is_bot

),

sourced as (

    select * from {{ ref('int_pages_sourced') }}

),

-- A hit whose event was lost tells neither country nor tracker: its visitor's other pages of the day do.
visitors_of_lost_pages as (

    select distinct
        hit_visitor_id,
        seen_date
    from pages
    where not is_seen_by_event

),

visitor_days as (

    select
        pages.hit_visitor_id,
        pages.seen_date,
        mode(pages.country order by pages.country) as country,
        mode(pages.tracker order by pages.tracker) as tracker
    from pages
    semi join visitors_of_lost_pages
        on
            pages.hit_visitor_id = visitors_of_lost_pages.hit_visitor_id
            and pages.seen_date = visitors_of_lost_pages.seen_date
    where pages.is_seen_by_event
    group by pages.hit_visitor_id, pages.seen_date

),

described as (

    select
        pages.seen_date,
        pages.app_id,
        pages.platform,
        pages.is_seen_by_pixel,
        pages.is_seen_by_event,
        coalesce(pages.browser, '(unknown)') as browser,
        coalesce(case when pages.is_seen_by_event then pages.country else visitor_days.country end, '(unknown)')
            as country,
        coalesce(case when pages.is_seen_by_event then pages.tracker else visitor_days.tracker end, '(unknown)')
            as tracker
    from pages
    left join visitor_days
        on
            not pages.is_seen_by_event
            and pages.hit_visitor_id = visitor_days.hit_visitor_id
            and pages.seen_date = visitor_days.seen_date

),

counted as (

    select
        seen_date,
        app_id,
        platform,
        browser,
        country,
        tracker,
        count(*) filter (where is_seen_by_pixel) as pixel_hits,
        count(*) filter (where is_seen_by_event) as event_page_views,
        count(*) filter (where is_seen_by_pixel and is_seen_by_event) as matched
    from described
    group by all

),

unpivoted as (

    {% for rows, dimension, value in [
        ('counted', 'browser', 'browser'),
        ('counted', 'country', 'country'),
        ('counted', 'tracker', 'tracker'),
        ('sourced', 'channel', 'channel'),
        ('sourced', 'campaign', "case when is_origin_known then coalesce(campaign, '(none)') else '(unknown)' end"),
        ('sourced', 'landing_page', page_name('landing_host', 'landing_path'))
    ] %}
        select
            seen_date,
            app_id,
            platform,
            '{{ dimension }}' as dimension,
            {{ value }} as dimension_value,
            pixel_hits,
            event_page_views,
            matched
        from {{ rows }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

summed as (

    select
        seen_date,
        app_id,
        platform,
        dimension,
        dimension_value,
        cast(sum(pixel_hits) as bigint) as pixel_hits,
        cast(sum(event_page_views) as bigint) as event_page_views,
        cast(sum(matched) as bigint) as matched
    from unpivoted
    group by all

),

-- Campaigns and pages are named by clients: the 500 most seen of a day, app and platform stand by themselves.
ranked as (

    select
        *,
        row_number() over (
            partition by seen_date, app_id, platform, dimension
            order by pixel_hits + event_page_views - matched desc, dimension_value
        ) <= 500 as is_by_itself
    from summed

),

daily as (

    select
        seen_date,
        app_id,
        platform,
        dimension,
        cast(sum(pixel_hits) as bigint) as pixel_hits,
        cast(sum(event_page_views) as bigint) as event_page_views,
        cast(sum(matched) as bigint) as matched,
        case when is_by_itself then dimension_value else '(other)' end as dimension_value
    from ranked
    group by all

),

estimated as (

    select
        *,
        {{ chapman_cell() }}
    from daily

),

final as (

    select
        seen_date as date,
        app_id,
        platform,
        dimension,
        dimension_value,
        pixel_hits,
        event_page_views,
        matched,
        pixel_hits - matched as only_pixel,
        event_page_views - matched as only_event,
        {{ rate('(pixel_hits - matched)', 'pixel_hits') }} as event_loss_rate,
        seen_count + unseen_count as estimated_page_views,
        {{ chapman_low('seen_count', 'unseen_count', 'unseen_variance') }} as low,
        {{ chapman_high('seen_count', 'unseen_count', 'unseen_variance') }} as high,
        {{ is_sealed('seen_date') }} as is_sealed
    from estimated

)

select * from final
