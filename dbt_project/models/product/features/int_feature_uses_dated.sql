{{ config(materialized='ephemeral') }}

with sessions as (

    select
        session_id,
        person_id,
        is_counted,
        {{ reporting_date('started_at') }} as reporting_date
    from {{ ref('sessions') }}

),

-- A use belongs to its session's day, so that its user is one of the week's people.
uses as (

    select
        uses.feature,
        coalesce(sessions.person_id, uses.user_id, uses.visitor_id) as person_id,
        coalesce(sessions.reporting_date, {{ reporting_date('uses.event_at') }}) as reporting_date
    from {{ ref('int_feature_uses') }} as uses
    left join sessions on uses.session_id = sessions.session_id
    where coalesce(sessions.is_counted, not uses.is_bot and not uses.is_excluded)

),

dated_uses as (

    select
        feature,
        person_id,
        reporting_date,
        {{ week_of('reporting_date') }} as week_date
    from uses

)

select * from dated_uses
