with pages as (

    select * from {{ ref('int_pages_sourced') }}

),

touchpoints as (

    select * from {{ ref('touchpoints') }}

),

visits as (

    select
        touched_date as visit_date,
        channel,
        source,
        medium,
        campaign,
        count(*) as sessions,
        0 as lost_visits,
        0 as pixel_hits,
        0 as event_page_views,
        0 as matched
    from touchpoints
    group by all
    union all
    select
        seen_date as visit_date,
        channel,
        source,
        medium,
        campaign,
        0 as sessions,
        sum(lost_visits) as lost_visits,
        sum(pixel_hits) as pixel_hits,
        sum(event_page_views) as event_page_views,
        sum(matched) as matched
    from pages
    group by all

),

counted as (

    select
        visit_date,
        channel,
        source,
        medium,
        campaign,
        cast(sum(sessions) as bigint) as sessions,
        cast(sum(lost_visits) as bigint) as lost_visits,
        cast(sum(pixel_hits) as bigint) as pixel_hits,
        cast(sum(event_page_views) as bigint) as event_page_views,
        cast(sum(matched) as bigint) as matched
    from visits
    group by all

),

estimated as (

    select
        *,
        {{ chapman_cell() }}
    from counted

),

final as (

    select
        visit_date as date,
        channel,
        source,
        medium,
        campaign,
        sessions,
        pixel_hits,
        event_page_views,
        matched,
        pixel_hits - matched as only_pixel,
        {{ rate('(pixel_hits - matched)', 'pixel_hits') }} as event_loss_rate,
        case when pixel_hits > 0 then lost_visits end as lost_visits,
        case when pixel_hits > 0 then {{ rate('lost_visits', '(sessions + lost_visits)') }} end as blind_share,
        seen_count + unseen_count as estimated_page_views,
        {{ chapman_low('seen_count', 'unseen_count', 'unseen_variance') }} as low,
        {{ chapman_high('seen_count', 'unseen_count', 'unseen_variance') }} as high,
        {{ is_sealed('visit_date') }} as is_sealed
    from estimated

)

select * from final
