{{ config(meta={'sealed_by': 'date'}) }}

with page_views as (

    select
        event_id,
        app_id,
        ip,
        user_agent,
        browser,
        url_path,
        is_access,
        event_date
    from {{ ref('stg_lake__events') }}
    where
        schema_name = 'page_view'
        and platform in ('desktop_web', 'mobile_web')
        and event_date in (select watched.access_date from {{ ref('int_access_days') }} as watched)

),

-- Bots that run no script are seen by the server alone: they are no loss.
bots as (

    select event_id
    from {{ ref('int_page_views_numbered') }}
    where
        is_access
        and is_bot

),

requests as (

    select
        page_views.event_date,
        page_views.app_id,
        page_views.ip,
        page_views.user_agent,
        page_views.browser,
        page_views.url_path,
        count(*) as request_count
    from page_views
    anti join bots on page_views.event_id = bots.event_id
    where page_views.is_access
    group by all

),

reports as (

    select
        event_date,
        ip,
        user_agent,
        url_path,
        count(*) as report_count
    from page_views
    where not is_access
    group by all

),

-- One report answers for one request; several sites behind one address share its reports in the order of their names.
shared as (

    select
        requests.*,
        coalesce(reports.report_count, 0) - coalesce(sum(requests.request_count) over (
            partition by requests.event_date, requests.ip, requests.user_agent, requests.url_path
            order by requests.app_id, requests.browser
            rows between unbounded preceding and 1 preceding
        ), 0) as reports_left
    from requests
    left join reports
        on
            requests.event_date = reports.event_date
            and requests.ip is not distinct from reports.ip
            and requests.user_agent is not distinct from reports.user_agent
            and requests.url_path is not distinct from reports.url_path

),

-- Paths are named by clients: the 500 most requested a day and site stand by themselves.
paths as (

    select
        event_date,
        app_id,
        url_path
    from shared
    group by event_date, app_id, url_path
    qualify
        row_number() over (partition by event_date, app_id order by sum(request_count) desc, url_path) <= 500

),

counted as (

    select
        shared.event_date,
        shared.app_id,
        cast(sum(shared.request_count) as bigint) as request_count,
        cast(sum(greatest(least(shared.request_count, shared.reports_left), 0)) as bigint) as reported_count,
        coalesce(shared.browser, '(unknown)') as browser,
        case when paths.event_date is not null then shared.url_path else '(other)' end as url_path
    from shared
    left join paths
        on
            shared.event_date = paths.event_date
            and shared.app_id = paths.app_id
            and shared.url_path is not distinct from paths.url_path
    group by all

),

final as (

    select
        event_date as date,
        app_id,
        browser,
        url_path,
        request_count as page_requests,
        reported_count as reported,
        request_count - reported_count as unreported,
        {{ rate('(request_count - reported_count)', 'request_count') }} as unreported_rate,
        {{ is_sealed('event_date') }} as is_sealed
    from counted

)

select * from final
