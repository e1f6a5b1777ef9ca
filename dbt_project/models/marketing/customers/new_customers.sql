with orders as (

    select * from {{ ref('orders') }}
    where is_counted

),

credited as (

    select * from {{ ref('attribution') }}
    where
        conversion = 'order'
        and model = 'last_non_direct'

),

spend as (

    select * from {{ ref('spend') }}

),

spellings as (

    select distinct
        source,
        medium,
        campaign
    from spend

),

first_orders as (

    select
        person_id,
        arg_min(order_id, (ordered_at, order_id)) as order_id,
        min(ordered_at) as ordered_at
    from orders
    where person_id is not null
    group by person_id

),

customers as (

    select
        {{ utc_month('first_orders.ordered_at') }} as month_date,
        credited.channel,
        coalesce(spellings.campaign, credited.campaign) as campaign,
        count(*) as persons
    from first_orders
    inner join credited on first_orders.order_id = credited.order_id
    left join spellings on {{ is_same_campaign('credited', 'spellings') }}
    group by all

),

costs as (

    select
        {{ month_of('date') }} as month_date,
        channel,
        campaign,
        sum(reporting_cost) as cost,
        bool_and(reporting_cost is not null) as is_cost_complete
    from spend
    group by all

),

joined as (

    select
        coalesce(customers.month_date, costs.month_date) as month_date,
        coalesce(customers.channel, costs.channel) as channel,
        coalesce(customers.campaign, costs.campaign) as campaign,
        coalesce(customers.persons, 0) as persons,
        coalesce(costs.is_cost_complete, true) as is_cost_complete,
        case
            when costs.month_date is null then 0
            when costs.is_cost_complete then costs.cost
        end as cost
    from customers
    full join costs
        on
            customers.month_date = costs.month_date
            and customers.channel is not distinct from costs.channel
            and customers.campaign is not distinct from costs.campaign

),

final as (

    select
        month_date as month,
        channel,
        campaign,
        persons,
        cast(cost as decimal(38, 6)) as cost,
        is_cost_complete,
        {{ rate('cost', 'persons') }} as cost_per_customer
    from joined

)

select * from final
