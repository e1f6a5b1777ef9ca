with messages_hourly as (

    select * from {{ ref('int_messages_hourly') }}

),

quarantine as (

    select received_at from {{ ref('stg_lake__quarantine') }}

),

received as (

    select
        earliest_received_at,
        latest_received_at
    from messages_hourly
    union all
    select
        received_at as earliest_received_at,
        received_at as latest_received_at
    from quarantine

),

latest as (

    select
        min(earliest_received_at) as first_received_at,
        max(latest_received_at) as latest_received_at
    from received

)

select * from latest
