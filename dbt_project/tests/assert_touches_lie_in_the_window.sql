-- A touch after its order cannot have caused it, and one before the window must not earn from it.
-- A row is a touch outside (order - window, order].
with attribution as (

    select * from {{ ref('attribution') }}

),

broken as (

    select
        order_id,
        model,
        session_id,
        touched_at,
        ordered_at
    from attribution
    where
        session_id is not null
        and (
            touched_at > ordered_at
            or touched_at <= ordered_at - interval '{{ var("attribution_window_days") }} days'
        )

)

select * from broken
