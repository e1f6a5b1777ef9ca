with sessions as (

    select
        session_id,
        visitor_id,
        user_id,
        started_at,
        case when user_id is not null then started_at end as named_at
    from {{ ref('int_sessions_aggregated') }}

),

neighbours as (

    select
        session_id,
        visitor_id,
        user_id,
        started_at,
        lead(user_id ignore nulls) over visits as next_user_id,
        lead(named_at ignore nulls) over visits as next_named_at,
        lag(user_id ignore nulls) over visits as previous_user_id
    from sessions
    window visits as (partition by visitor_id order by started_at, session_id)

),

stitched as (

    select
        session_id,
        started_at,
        coalesce(
            user_id,
            case
                when next_named_at <= started_at + interval '{{ var("stitch_days") }} days'
                    then next_user_id
            end,
            previous_user_id,
            visitor_id
        ) as person_id
    from neighbours

),

numbered as (

    select
        session_id,
        person_id,
        row_number() over (partition by person_id order by started_at, session_id) as visit_number
    from stitched

)

select * from numbered
