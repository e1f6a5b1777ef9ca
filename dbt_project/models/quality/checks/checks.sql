with registry as (

    select * from {{ ref('stg_lake__thresholds') }}
    where is_general

),

checks_daily as (

    select * from {{ ref('int_checks_daily') }}

),

incidents as (

    select * from {{ ref('int_incidents_cut') }}

),

-- Checks of all data at once: each gives a hint only where it has more to say than the registry.
totals as (

    select * from {{ ref('int_book_checks') }}
    union all by name
    select * from {{ ref('int_pixel_checks') }}
    union all by name
    select * from {{ ref('int_order_checks') }}
    union all by name
    select * from {{ ref('int_probe_checks') }}
    union all by name
    select * from {{ ref('int_marketing_checks') }}
    union all by name
    select * from {{ ref('int_visit_checks') }}
    union all by name
    select * from {{ ref('int_request_checks') }}
    union all by name
    select * from {{ ref('int_freshness_checks') }}

),

daily_checks as (

    select
        checks_daily.check_name,
        concat_ws(
            ' ', coalesce(cast(checks_daily.check_date as varchar), 'undated'),
            coalesce(checks_daily.app_id, case when checks_daily.platform is null then 'all messages' else '?' end),
            checks_daily.platform
        ) as scope,
        checks_daily.check_value,
        checks_daily.warn,
        checks_daily.error,
        case checks_daily.status when 'error' then checks_daily.error else checks_daily.warn end as threshold,
        checks_daily.status,
        case when checks_daily.status <> 'unknown' then checks_daily.hint end as hint,
        cast(
            coalesce(
                incidents.first_date,
                case when checks_daily.status = 'unknown' then checks_daily.check_date end
            ) as timestamp
        ) at time zone 'UTC' as first_seen,
        checks_daily.owner,
        checks_daily.check_date,
        checks_daily.app_id,
        checks_daily.platform
    from checks_daily
    left join incidents
        on
            checks_daily.status in ('warn', 'error')
            and checks_daily.check_name = incidents.check_name
            and checks_daily.app_id is not distinct from incidents.app_id
            and checks_daily.platform is not distinct from incidents.platform
            and checks_daily.check_date between incidents.first_date and incidents.last_date

),

found as (

    select * from daily_checks
    union all by name
    select * from totals

),

-- Without a single row a check would be missing, and what is missing looks like health.
nothing_seen as (

    select
        registry.check_name,
        'all' as scope,
        'unknown' as status,
        registry.if_nothing as hint
    from registry
    anti join found on registry.check_name = found.check_name

),

unioned as (

    select * from found
    union all by name
    select * from nothing_seen

),

final as (

    select
        unioned.check_name as "check",
        unioned.scope,
        unioned.check_value as value,
        unioned.threshold,
        unioned.status,
        unioned.first_seen,
        unioned.check_date as date,
        unioned.app_id,
        unioned.platform,
        coalesce(unioned.warn, unioned.threshold) as warn,
        coalesce(unioned.error, case when unioned.status = 'error' then unioned.threshold end) as error,
        coalesce(unioned.owner, registry.owner) as owner,
        case unioned.status
            when 'ok' then null
            when 'unknown' then coalesce(unioned.hint, registry.if_unknown)
            else coalesce(unioned.hint, registry.hint)
        end as hint
    from unioned
    left join registry on unioned.check_name = registry.check_name

)

select * from final
