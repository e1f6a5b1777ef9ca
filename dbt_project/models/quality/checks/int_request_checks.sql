{{ config(materialized='in_place_view') }}

with files as (

    select * from {{ ref('stg_lake__files') }}

),

visits as (

    select * from {{ ref('int_sessions_aggregated') }}
    where not is_bot

),

thresholds as (

    select * from {{ ref('stg_lake__thresholds') }}
    where is_general

),

unrouted_files as (

    select
        unrouted_count,
        line_count,
        unrouted_paths,
        row_number() over (order by unrouted_count desc, source_file asc) as place
    from files
    where inbox_folder = 'events'

),

visits_by_address as (

    select
        ip,
        count(*) as visit_count
    from visits
    where ip is not null
    group by ip

),

measured as (

    select
        'unrouted_requests' as check_name,
        'requests of collectors' as scope,
        sum(unrouted_count) as part,
        sum(line_count) as whole,
        'Requests that hold no message, for '
        || string_agg(unrouted_paths, ', ' order by place) filter (where place <= 3)
        || ': a path of your tracker''s own belongs into batch_paths' as hint
    from unrouted_files
    union all
    select
        'claimed_addresses' as check_name,
        'visits' as scope,
        count(*) filter (where address_from_client) as part,
        count(*) as whole,
        cast(null as varchar) as hint
    from visits
    where ip is not null
    union all
    select
        'one_address' as check_name,
        'visits' as scope,
        max(visit_count) as part,
        -- Of a few visits all may be one person's.
        case when sum(visit_count) >= 30 then sum(visit_count) end as whole,
        max(visit_count) || ' of ' || sum(visit_count) || ' visits come from ' || arg_max(ip, (visit_count, ip))
        || ': is it a proxy''s? See trusted_proxies and log_formats' as hint
    from visits_by_address

),

judged as (

    select
        measured.check_name,
        measured.scope,
        thresholds.warn as threshold,
        {{ rate('measured.part', 'measured.whole') }} as check_value,
        {{ threshold_status('measured.part', 'measured.whole') }} as status,
        measured.hint
    from measured
    left join thresholds on measured.check_name = thresholds.check_name

),

final as (

    select
        check_name,
        scope,
        check_value,
        threshold,
        status,
        case when status in ('warn', 'error') then hint end as hint
    from judged

)

select * from final
