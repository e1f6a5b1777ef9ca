with touches as (

    select
        *,
        {{ seconds_between('touched_at', 'ordered_at') }} / 86400 as days_before,
        row_number() over (
            partition by order_id
            order by (coalesce(channel, 'Direct') <> 'Direct') desc, touch_number desc
        ) as non_direct_rank
    from {{ ref('int_conversions_touched') }}

),

models as (

    select
        unnest([
            'first_touch', 'last_touch', 'last_non_direct', 'linear', 'position_based', 'time_decay'
        ]) as model

),

-- Every touch's share before the shares of an order are brought to one.
weighted as (

    select
        touches.*,
        models.model,
        case
            when touches.touch_count = 0 then 1
            when models.model = 'first_touch' then cast((touches.touch_number = 1) as integer)
            when models.model = 'last_touch' then cast((touches.touch_number = touches.touch_count) as integer)
            when models.model = 'last_non_direct' then cast((touches.non_direct_rank = 1) as integer)
            when models.model = 'linear' then 1
            when models.model = 'time_decay'
                then power(2.0, -touches.days_before / {{ var('time_decay_half_life_days') }})
            when touches.touch_count <= 2 then 1
            when touches.touch_number in (1, touches.touch_count) then 0.4
            else 0.2 / (touches.touch_count - 2)
        end::double as weight
    from touches
    cross join models

),

credited as (

    select
        *,
        -- Added up in the order of the touches: fractions add up to another last digit in another order.
        weight / sum(weight) over (
            partition by order_id, model
            order by touch_number
            rows between unbounded preceding and unbounded following
        ) as credit
    from weighted
    where weight > 0

),

-- Money is shared out in whole cents, rounded down; what is left over follows.
shared as (

    select
        *,
        floor(floor(revenue * 100) * credit) as share_cents,
        round(floor(revenue * 100) * credit - floor(floor(revenue * 100) * credit), 9) as remainder
    from credited

),

ranked as (

    select
        *,
        floor(revenue * 100) - sum(share_cents) over (partition by order_id, model) as leftover_cents,
        row_number() over (
            partition by order_id, model
            order by remainder desc, touch_number desc
        ) as remainder_rank
    from shared

),

final as (

    select
        order_id,
        person_id,
        ordered_at,
        model,
        session_id,
        source,
        medium,
        campaign,
        credit,
        cast(
            case
                -- A fraction of a cent that the order itself has goes with the first cent left over.
                when remainder_rank = 1
                    then revenue - floor(revenue * 100) / 100
                else 0
            end
            + (
                cast(share_cents as decimal(18, 0))
                + case when remainder_rank <= leftover_cents then 1 else 0 end
            ) / 100
            as decimal(18, 4)
        ) as revenue_credit,
        coalesce(touched_at, ordered_at) as touched_at,
        coalesce(channel, '(unattributed)') as channel
    from ranked

)

select * from final
