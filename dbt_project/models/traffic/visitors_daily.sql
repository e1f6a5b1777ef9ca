with sessions as (

    select * from {{ ref('sessions') }}
    where is_counted

),

totals as (

    select
        {{ reporting_date('started_at') }} as date,
        app_id,
        platform,
        coalesce(country, '(unknown)') as country,
        visitor_kind,
        count(*) as sessions,
        count(distinct visitor_id) as visitors,
        count(*) filter (where is_bounce) as bounces
    from sessions
    group by all

),

{{ with_completeness('totals') }}
