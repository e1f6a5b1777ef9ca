with incidents as (

    select * from {{ ref('int_incidents_cut') }}

),

lake_now as (

    select * from {{ ref('int_lake_now') }}

),

final as (

    select
        incidents.check_name || ' ' || incidents.first_date || ' ' || coalesce(incidents.app_id, 'all')
        || ' ' || coalesce(incidents.platform, 'all') as incident_id,
        incidents.check_name as "check",
        incidents.app_id,
        incidents.platform,
        incidents.first_date,
        incidents.last_date,
        incidents.status,
        incidents.worst_value,
        incidents.threshold,
        incidents.owner,
        incidents.hint,
        coalesce(incidents.last_date + 1 >= {{ utc_date('lake_now.latest_received_at') }}, false) as is_ongoing
    from incidents
    cross join lake_now

)

select * from final
