with messages_hourly as (

    select is_access from {{ ref('int_messages_hourly') }}
    where {{ is_no_probe('app_id') }}

),

policy as (

    select
        case '{{ var("count_access") }}'
            when 'always' then true
            when 'never' then false
            else not exists (
                select 1 from messages_hourly
                where not is_access
            )
        end as is_access_counted

)

select * from policy
