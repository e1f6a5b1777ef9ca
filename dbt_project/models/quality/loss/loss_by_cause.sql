with counted as (

    select * from {{ ref('int_causes_counted') }}

),

-- The pixel alone saw these page views, and neither missing indexes nor refused messages account for them.
explained as (

    select
        *,
        cast(greatest(
            only_pixel - refused_page_views - round(lost * coalesce(page_views / nullif(accepted, 0), 1)), 0
        ) as bigint) as unexplained
    from counted

),

totalled as (

    select
        *,
        lost + rejected + late + duplicates + unexplained + accepted as sent
    from explained

),

waterfall as (

    select
        cause_date,
        app_id,
        platform,
        sent,
        unnest([
            (1, 'sent', sent),
            (2, 'lost_before_collector', -lost),
            (3, 'rejected', -rejected),
            (4, 'late', -late),
            (5, 'duplicate', -duplicates),
            (6, 'unexplained', -unexplained),
            (7, 'bot', -bot),
            (8, 'counted', accepted - bot)
        ]) as step
    from totalled

),

final as (

    select
        cause_date as date,
        app_id,
        platform,
        step[1] as step_number,
        step[2] as cause,
        cast(step[3] as bigint) as messages,
        {{ rate('step[3]', 'sent') }} as share_of_sent,
        {{ is_sealed('cause_date') }} as is_sealed
    from waterfall

)

select * from final
