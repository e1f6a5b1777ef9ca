with hits as (

    select * from {{ ref('int_lost_hits_placed') }}

),

sessions as (

    select
        session_id,
        source,
        medium,
        campaign
    from {{ ref('int_sessions_aggregated') }}

),

-- What belongs to no session, or begins what the session that was open knows nothing of.
unseen as (

    select
        hits.*,
        case when hits.is_tagged then row(hits.source, hits.medium, hits.campaign) end as tags
    from hits
    left join sessions on hits.session_id = sessions.session_id
    where
        hits.session_id is null
        or (
            hits.is_tagged
            and (
                hits.source is distinct from sessions.source
                or hits.medium is distinct from sessions.medium
                or hits.campaign is distinct from sessions.campaign
            )
        )

),

begun as (

    select
        *,
        coalesce(
            hit_at - lag(hit_at) over visitor_order > interval '{{ var("session_gap_minutes") }} minutes', true
        )
        or (tags is not null and tags is distinct from lag(tags ignore nulls) over visitor_order) as is_landing
    from unseen
    window visitor_order as (partition by visitor_id order by hit_at, page_id)

),

numbered as (

    select
        *,
        count(*) filter (where is_landing) over (
            partition by visitor_id
            order by hit_at, page_id
            rows between unbounded preceding and current row
        ) as visit_number
    from begun

),

landings as (

    select
        visitor_id,
        visit_number,
        url_host as landing_host,
        url_path as landing_path,
        is_tagged,
        source,
        medium,
        campaign
    from numbered
    where is_landing

),

combinations as (

    select distinct
        source,
        medium,
        campaign
    from landings
    where is_tagged

),

{{ channels_of_combinations() }},

final as (

    select
        numbered.page_id,
        numbered.hit_at,
        numbered.visitor_id,
        numbered.visit_number,
        numbered.is_landing,
        landings.landing_host,
        landings.landing_path,
        landings.source,
        landings.medium,
        landings.campaign,
        -- Untagged it may have come directly, by a search or a link: only its referrer would tell.
        coalesce(grouped.channel, '(unknown)') as channel
    from numbered
    inner join landings
        on
            numbered.visitor_id = landings.visitor_id
            and numbered.visit_number = landings.visit_number
    left join grouped
        on
            landings.is_tagged
            and landings.source is not distinct from grouped.source
            and landings.medium is not distinct from grouped.medium
            and landings.campaign is not distinct from grouped.campaign

)

select * from final
