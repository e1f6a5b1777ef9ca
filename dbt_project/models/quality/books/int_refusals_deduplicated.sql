{{ config(materialized='in_place_view') }}

with quarantine as (

    select * from {{ ref('stg_lake__quarantine') }}
    where
        split_part(source_file, '/', 1) in ('events', 'access')
        and reason <> 'sealed'

),

-- A line whose file is delivered again is refused again; it is one refusal.
refusals as (

    select distinct
        reason,
        schema_name,
        app_id,
        platform,
        received_at,
        batch_position,
        split_part(source_file, '/', 1) = 'access' as is_access,
        payload_key,
        {{ utc_date('received_at') }} as received_date
    from quarantine

)

select * from refusals
