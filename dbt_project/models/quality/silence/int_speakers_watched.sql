{{ config(materialized='ephemeral') }}

with spoken as (

    select * from {{ ref('int_speakers_hourly') }}

),

-- Names come from clients: only the 200 that say most are watched, so that made-up ones cannot flood the roster.
-- A host that stays silent for a week has been retired; an app and platform is waited for four.
watched as (

    select
        app_id,
        platform,
        collector_host,
        row_number() over (order by app_id, platform, collector_host) as series,
        case when collector_host is null then interval 28 days else interval 7 days end as patience
    from spoken
    group by app_id, platform, collector_host
    qualify
        row_number() over (
            partition by collector_host is null
            order by -sum(message_count), app_id, platform, collector_host
        ) <= 200

)

select * from watched
