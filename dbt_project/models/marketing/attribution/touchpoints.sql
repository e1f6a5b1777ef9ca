{{ config(materialized='in_place_view') }}

with sessions as (

    select * from {{ ref('sessions') }}
    where is_counted

),

final as (

    select
        session_id,
        person_id,
        visitor_id,
        visit_number,
        started_at as touched_at,
        session_date as touched_date,
        app_id,
        platform,
        channel,
        source,
        medium,
        campaign,
        term,
        content,
        click_ids,
        landing_url,
        landing_referrer
    from sessions

)

select * from final
