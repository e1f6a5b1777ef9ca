with touches as (

    select
        conversion_id,
        conversion_month,
        channel,
        touch_number = touch_count as is_last
    from {{ ref('int_conversions_touched') }}
    where
        conversion = 'order'
        and touch_count > 0

),

models as (

    {{ attribution_models() }}

),

attribution as (

    select * from {{ ref('attribution') }}
    where conversion = 'order'

),

-- A channel that is an order's last touch assisted it in nothing, however often it came before.
roles as (

    select
        conversion_id,
        conversion_month,
        channel,
        bool_or(is_last) as is_last
    from touches
    group by conversion_id, conversion_month, channel

),

counted as (

    select
        conversion_month,
        channel,
        count(*) filter (where not is_last) as assisted,
        count(*) filter (where is_last) as last
    from roles
    group by conversion_month, channel

),

parts as (

    select
        counted.conversion_month,
        models.model,
        counted.channel,
        counted.assisted,
        counted.last,
        cast(null as decimal(18, 4)) as revenue_credit,
        cast(null as boolean) as is_unrated
    from counted
    cross join models
    union all
    select
        {{ utc_month('ordered_at') }} as conversion_month,
        model,
        channel,
        0 as assisted,
        0 as last,
        revenue_credit,
        is_unrated
    from attribution

),

final as (

    select
        conversion_month as month,
        model,
        channel,
        cast(sum(assisted) as bigint) as assisted,
        cast(sum(last) as bigint) as last,
        cast({{ known_sum('revenue_credit', 'is_unrated') }} as decimal(38, 4)) as revenue
    from parts
    group by conversion_month, model, channel

)

select * from final
