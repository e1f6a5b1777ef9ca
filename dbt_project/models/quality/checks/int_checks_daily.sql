with shares as (

    select * from {{ ref('int_shares_daily') }}
    where {{ is_no_probe('app_id') }}

),

silence as (

    select * from {{ ref('silence') }}

),

thresholds as (

    select * from {{ ref('stg_lake__thresholds') }}

),

judged_shares as (

    select
        shares.check_name,
        shares.check_date,
        shares.app_id,
        shares.platform,
        {{ rate('shares.part', 'shares.whole') }} as check_value,
        thresholds.warn,
        thresholds.error,
        {{ threshold_status('shares.part', 'shares.whole') }} as status,
        thresholds.owner,
        thresholds.hint
    from shares
    left join thresholds
        on
            shares.check_name = thresholds.check_name
            and {{ threshold_applies('shares.app_id', 'shares.platform', 'shares.check_date') }}
    {{ narrowest_threshold(['shares.check_name', 'shares.check_date', 'shares.app_id', 'shares.platform']) }}

),

-- The worst hour speaks for its day; a day of which no hour could be judged is unknown.
silent_days as (

    select
        app_id,
        platform,
        {{ utc_date('hour') }} as check_date,
        max(missed) filter (where status <> 'unknown') as check_value,
        coalesce(max(case status when 'error' then 3 when 'warn' then 2 when 'ok' then 1 end), 0) as severity,
        string_agg(distinct host, ', ' order by host) filter (where status in ('warn', 'error')) as silent_hosts,
        coalesce(bool_or(is_all_silent) filter (where status in ('warn', 'error')), false) as is_all_silent
    from silence
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
        case when silent_days.is_all_silent then 'Silent: all sources at once, trackers and pixel. ' else '' end
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
