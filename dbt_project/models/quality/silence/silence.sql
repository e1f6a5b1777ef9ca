with baselined as (

    select * from {{ ref('int_speakers_baselined') }}

),

thresholds as (

    select * from {{ ref('stg_lake__thresholds') }}
    where check_name = 'silence'

),

hours_with_hits as (

    select * from {{ ref('int_hours_with_hits') }}

),

-- Hours in which somebody was heard, by a tracker, a server's log or the pixel. Servers go on when no client gets
-- through.
spoken_hours as (

    select
        hour,
        bool_and(is_server) as is_by_servers_alone
    from (
        select
            hour,
            platform in ('backend', 'api', 'email') as is_server
        from baselined
        where message_count > 0
        union all
        select
            hour,
            false as is_server
        from hours_with_hits
    ) as spoken
    group by hour

),

unheard as (

    select
        *,
        case when message_count = 0 then coalesce(expected_count, 0) else 0 end as unheard_count
    from baselined

),

-- Within a silence the visits missed add up from hour to hour; those of the first week, whose baseline is a guess, only
-- towards a warning.
missed as (

    select
        *,
        sum(unheard_count) over silent_hours as missed_count,
        sum(case when is_settled then unheard_count else 0 end) over silent_hours as settled_missed_count
    from unheard
    window silent_hours as (
        partition by series, era, last_heard_at
        order by hour
        rows between unbounded preceding and current row
    )

),

-- Chosen for each day of a speaker, not for each hour.
chosen as (

    select
        speaker_days.app_id,
        speaker_days.platform,
        speaker_days.heard_date,
        thresholds.warn,
        thresholds.error
    from (select distinct app_id, platform, {{ utc_date('hour') }} as heard_date from missed) as speaker_days
    inner join thresholds
        on {{ threshold_applies('speaker_days.app_id', 'speaker_days.platform', 'speaker_days.heard_date') }}
    {{ narrowest_threshold(['speaker_days.app_id', 'speaker_days.platform', 'speaker_days.heard_date']) }}

),

judged as (

    select
        missed.*,
        case
            -- Who is heard on few days of a week may well be silent on the others.
            when missed.expected_count is null or missed.heard_day_count < 5 or chosen.error is null
                then 'unknown'
            when missed.settled_missed_count >= chosen.error then 'error'
            when missed.missed_count >= chosen.warn then 'warn'
            else 'ok'
        end as status
    from missed
    left join chosen
        on
            missed.app_id is not distinct from chosen.app_id
            and missed.platform is not distinct from chosen.platform
            and {{ utc_date('missed.hour') }} = chosen.heard_date

),

final (
    hour, app_id, platform, host, messages, expected, missed, baseline, status, first_heard_at, is_new, is_all_silent
) as (

    select
        judged.hour,
        judged.app_id,
        judged.platform,
        judged.collector_host,
        judged.message_count,
        judged.expected_count,
        judged.missed_count,
        judged.baseline,
        judged.status,
        judged.first_heard_at,
        not judged.is_settled,
        spoken_hours.hour is null
        or (spoken_hours.is_by_servers_alone and judged.platform not in ('backend', 'api', 'email'))
    from judged
    left join spoken_hours on judged.hour = spoken_hours.hour

)

select * from final
