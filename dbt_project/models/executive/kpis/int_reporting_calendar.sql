with messages_hourly as (

    select
        earliest_event_at,
        latest_event_at
    from {{ ref('int_messages_hourly') }}
    where not coalesce(is_stray, false)

),

pages as (

    select reporting_date from {{ ref('int_pages_counted') }}

),

ends_of_data as (

    select
        min({{ reporting_date('earliest_event_at') }}) as first_date,
        max({{ reporting_date('latest_event_at') }}) as last_date
    from messages_hourly
    union all
    select
        min(reporting_date) as first_date,
        max(reporting_date) as last_date
    from pages

),

calendar as (

    select cast(unnest(generate_series(min(first_date), max(last_date), interval 1 day)) as date) as reporting_date
    from ends_of_data

)

select * from calendar
