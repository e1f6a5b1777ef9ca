{{ config(materialized='ephemeral') }}

with messages_hourly as (

    select
        app_id,
        platform,
        collector_host,
        hour,
        cast(sum(message_count) as bigint) as message_count,
        cast(sum(visit_count) as bigint) as visit_count
    from {{ ref('int_messages_hourly') }}
    where {{ is_no_probe('app_id') }}
    group by all

),

-- One host alone is silent when its app and platform are.
served_by_several as (

    select
        app_id,
        platform
    from messages_hourly
    group by app_id, platform
    having count(distinct collector_host) > 1

),

spoken as (

    select
        app_id,
        platform,
        cast(null as varchar) as collector_host,
        hour,
        cast(sum(message_count) as bigint) as message_count,
        cast(sum(visit_count) as bigint) as visit_count
    from messages_hourly
    group by all
    union all
    select
        messages_hourly.app_id,
        messages_hourly.platform,
        messages_hourly.collector_host,
        messages_hourly.hour,
        messages_hourly.message_count,
        messages_hourly.visit_count
    from messages_hourly
    semi join served_by_several
        on
            messages_hourly.app_id is not distinct from served_by_several.app_id
            and messages_hourly.platform is not distinct from served_by_several.platform
    where messages_hourly.collector_host is not null

)

select * from spoken
