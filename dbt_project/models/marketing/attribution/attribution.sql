with conversion_touches as (

    select * from {{ ref('int_conversions_touched') }}

),

markov_shares as (

    select * from {{ ref('int_markov_shared') }}
    where share > 0

),

models as (

    {{ attribution_models() }}

),

touches as (

    select
        conversion_touches.*,
        -- Seconds before the last touch: half-lives of a day or of a year then both stay within a double.
        {{ seconds_between('conversion_touches.touched_at', 'max(conversion_touches.touched_at) over touches_of_one') }}
        / 86400 as days_before_last,
        row_number() over (
            partition by conversion_touches.conversion, conversion_touches.conversion_id
            order by
                (coalesce(conversion_touches.channel, 'Direct') <> 'Direct') desc,
                conversion_touches.touch_number desc
        ) as non_direct_rank,
        coalesce(markov_shares.share, 0) as channel_share
    from conversion_touches
    left join markov_shares
        on
            conversion_touches.conversion = markov_shares.conversion
            and conversion_touches.conversion_month = markov_shares.conversion_month
            and conversion_touches.channel_set = markov_shares.channel_set
            and conversion_touches.channel = markov_shares.channel
    window touches_of_one as (partition by conversion_touches.conversion, conversion_touches.conversion_id)

),

-- Every touch's share before the shares of a conversion are brought to one.
weighted_touches as (

    select
        touches.conversion,
        touches.conversion_id,
        touches.order_id,
        touches.person_id,
        touches.converted_at,
        touches.revenue,
        touches.is_unrated,
        touches.session_id,
        touches.touched_at,
        touches.channel,
        touches.source,
        touches.medium,
        touches.campaign,
        touches.touch_number,
        models.model,
        case
            when touches.touch_count = 0 then 1
            when models.model = 'first_touch' then cast((touches.touch_number = 1) as integer)
            when models.model = 'last_touch' then cast((touches.touch_number = touches.touch_count) as integer)
            when models.model = 'last_non_direct' then cast((touches.non_direct_rank = 1) as integer)
            when models.model = 'linear' then 1
            when models.model = 'time_decay'
                then power(2.0, -touches.days_before_last / {{ var('time_decay_half_life_days') }})
            when models.model = 'markov' then touches.channel_share / touches.channel_touch_count
            when touches.touch_count = 1 then 1
            when touches.touch_number = 1 then {{ var('position_first_share') }}
            when touches.touch_number = touches.touch_count then {{ var('position_last_share') }}
            else
                (1 - {{ var('position_first_share') }} - {{ var('position_last_share') }})
                / (touches.touch_count - 2)
        end::double as weight
    from touches
    cross join models

),

-- What the removal effect gives a channel beyond the conversions that it touched.
weighted_untouched as (

    select
        conversion_touches.conversion,
        conversion_touches.conversion_id,
        conversion_touches.order_id,
        conversion_touches.person_id,
        conversion_touches.converted_at,
        conversion_touches.revenue,
        conversion_touches.is_unrated,
        cast(null as varchar) as session_id,
        conversion_touches.converted_at as touched_at,
        markov_shares.channel,
        cast(null as varchar) as source,
        cast(null as varchar) as medium,
        cast(null as varchar) as campaign,
        0 as touch_number,
        'markov' as model,
        markov_shares.share as weight
    from conversion_touches
    inner join markov_shares
        on
            conversion_touches.conversion = markov_shares.conversion
            and conversion_touches.conversion_month = markov_shares.conversion_month
            and conversion_touches.channel_set = markov_shares.channel_set
            and not list_contains(string_split(markov_shares.channel_set, ' + '), markov_shares.channel)
    where conversion_touches.touch_number = 1

),

weighted as (

    select * from weighted_touches
    where weight > 0
    union all
    select * from weighted_untouched

),

credited as (

    select
        *,
        -- Added up in the order of the touches: fractions add up to another last digit in another order.
        weight / sum(weight) over (
            partition by conversion, conversion_id, model
            order by touch_number, channel
            rows between unbounded preceding and unbounded following
        ) as touch_share
    from weighted

),

-- Money is shared out in whole cents, rounded down; what is left over follows.
shared as (

    select
        *,
        cast(touch_share as decimal(18, 15)) as rounded_credit,
        floor(floor(revenue * 100) * touch_share) as share_cents,
        round(floor(revenue * 100) * touch_share - floor(floor(revenue * 100) * touch_share), 9) as remainder
    from credited

),

ranked as (

    select
        *,
        floor(revenue * 100) - sum(share_cents) over of_model as leftover_cents,
        -- Decimals add up to the same on every engine: what rounding them leaves over is the latest touch's.
        1 - sum(rounded_credit) over of_model as leftover_credit,
        row_number() over (of_model order by touch_number desc, channel asc) as lateness_rank,
        row_number() over (of_model order by remainder desc, touch_number desc, channel asc) as remainder_rank
    from shared
    window of_model as (partition by conversion, conversion_id, model)

),

final as (

    select
        conversion,
        conversion_id,
        order_id,
        person_id,
        converted_at as ordered_at,
        model,
        session_id,
        source,
        medium,
        campaign,
        is_unrated,
        cast(
            rounded_credit + case when lateness_rank = 1 then leftover_credit else 0 end as decimal(18, 15)
        ) as credit,
        cast(
            case
                -- A fraction of a cent that the order itself has goes with the first cent left over.
                when remainder_rank = 1
                    then revenue - {{ money_of_cents('floor(revenue * 100)') }}
                else 0
            end
            + {{ money_of_cents('(share_cents + case when remainder_rank <= leftover_cents then 1 else 0 end)') }}
            as decimal(18, 4)
        ) as revenue_credit,
        coalesce(touched_at, converted_at) as touched_at,
        coalesce(channel, '(unattributed)') as channel
    from ranked

)

select * from final
