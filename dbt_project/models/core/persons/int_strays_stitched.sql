with moments as (

    select distinct
        visitor_id,
        viewed_at
    from {{ ref('int_page_views_numbered') }}
    where
        session_id is null
        and user_id is null

),

named_sessions as (

    select
        visitor_id,
        user_id,
        started_at
    from {{ ref('int_sessions_aggregated') }}
    where user_id is not null

),

-- The next named session soon enough, else the latest earlier one.
named as (

    select
        moments.visitor_id,
        moments.viewed_at,
        arg_min(named_sessions.user_id, named_sessions.started_at) filter (
            where named_sessions.started_at >= moments.viewed_at
            and named_sessions.started_at <= moments.viewed_at + interval '{{ var("stitch_days") }} days'
        ) as next_user_id,
        arg_max(named_sessions.user_id, named_sessions.started_at) filter (
            where named_sessions.started_at < moments.viewed_at
        ) as previous_user_id
    from moments
    inner join named_sessions on moments.visitor_id = named_sessions.visitor_id
    group by all

),

stitched as (

    select
        visitor_id,
        viewed_at,
        coalesce(next_user_id, previous_user_id) as user_id
    from named

)

select * from stitched
where user_id is not null
