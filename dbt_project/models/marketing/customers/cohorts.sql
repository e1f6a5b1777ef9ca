with sessions as (

    select * from {{ ref('touchpoints') }}

),

orders as (

    select * from {{ ref('orders') }}
    where is_counted

),

first_visits as (

    select
        person_id,
        {{ utc_month('min(touched_at)') }} as first_month,
        arg_min(channel, (touched_at, session_id)) as first_channel
    from sessions
    group by person_id

),

cohorts_counted as (

    select
        first_month,
        first_channel,
        count(*) as persons
    from first_visits
    group by first_month, first_channel

),

months as (

    select {{ utc_month('touched_at') }} as month_date from sessions
    union
    select {{ utc_month('ordered_at') }} as month_date from orders

),

ends as (

    select max(month_date) as last_month from months

),

-- A month in which nobody bought has a row: that is what a cohort is about.
spine as (

    select
        cohorts_counted.first_month,
        cohorts_counted.first_channel,
        cohorts_counted.persons,
        cast(unnest(range(0, date_diff('month', cohorts_counted.first_month, ends.last_month) + 1)) as integer)
            as months_since
    from cohorts_counted
    cross join ends

),

orders_counted as (

    select
        first_visits.first_month,
        first_visits.first_channel,
        date_diff('month', first_visits.first_month, {{ utc_month('orders.ordered_at') }}) as months_since,
        count(*) as orders,
        {{ known_sum('orders.reporting_revenue', 'orders.is_unrated') }} as revenue
    from orders
    inner join first_visits on orders.person_id = first_visits.person_id
    group by all

),

final as (

    select
        spine.first_month,
        spine.first_channel,
        spine.months_since,
        spine.persons,
        coalesce(orders_counted.orders, 0) as orders,
        case
            when orders_counted.orders is null then 0
            else cast(orders_counted.revenue as decimal(38, 4))
        end as revenue
    from spine
    left join orders_counted
        on
            spine.first_month = orders_counted.first_month
            and spine.first_channel = orders_counted.first_channel
            and spine.months_since = orders_counted.months_since

)

select * from final
