with shares as (

    select * from {{ ref('int_shares_judged') }}

),

located as (

    select * from {{ ref('int_losses_located') }}

),

silence as (

    select * from {{ ref('silence') }}

),

thresholds as (

    select * from {{ ref('stg_lake__thresholds') }}

),

-- Of whom most was lost, and when, is said first.
judged_shares as (

    select
        shares.check_name,
        shares.check_date,
        shares.app_id,
        shares.platform,
        shares.check_value,
        shares.warn,
        shares.error,
        shares.status,
        shares.owner,
        coalesce(located.whereabouts, '') || shares.hint as hint
    from shares
    left join located
        on
            shares.check_name = located.check_name
            and shares.check_date = located.check_date
            and shares.app_id = located.app_id
            and shares.platform = located.platform

),

-- Where all hosts are silent together none is named.
silence_of_all as (

    select
        *,
        coalesce(
            bool_or(host is null and status in ('warn', 'error')) over (partition by app_id, platform, hour), false
        ) as is_each_silent
    from silence

),

-- The worst hour speaks for its day; a day of which no hour could be judged is unknown.
silent_days as (

    select
        app_id,
        platform,
        {{ utc_date('hour') }} as check_date,
        max(missed) filter (where status <> 'unknown') as check_value,
        coalesce(max(case status when 'error' then 3 when 'warn' then 2 when 'ok' then 1 end), 0) as severity,
        string_agg(distinct host, ', ' order by host) filter (where status in ('warn', 'error') and not is_each_silent)
            as silent_hosts,
        coalesce(bool_or(is_all_silent) filter (where status in ('warn', 'error')), false) as is_all_silent
    from silence_of_all
    group by all

),

judged_silence as (

    select
        'silence' as check_name,
        silent_days.check_date,
        silent_days.app_id,
        silent_days.platform,
        silent_days.check_value,
        thresholds.warn,
        thresholds.error,
        case silent_days.severity when 3 then 'error' when 2 then 'warn' when 1 then 'ok' else 'unknown' end as status,
        thresholds.owner,
        case
            when not silent_days.is_all_silent then ''
            when silent_days.platform in ('backend', 'api', 'email') then 'Silent: all sources at once. '
            else 'Silent: all clients at once, trackers and pixel. '
        end
        || coalesce('Silent: ' || silent_days.silent_hosts || '. ', '') || thresholds.hint as hint
    from silent_days
    left join thresholds
        on
            thresholds.check_name = 'silence'
            and {{ threshold_applies('silent_days.app_id', 'silent_days.platform', 'silent_days.check_date') }}
    {{ narrowest_threshold(['silent_days.check_date', 'silent_days.app_id', 'silent_days.platform']) }}

),

unioned as (

    select * from judged_shares
    union all
    select * from judged_silence

)

select * from unioned
