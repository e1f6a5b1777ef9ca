with losses as (

    select * from {{ ref('int_losses_wide') }}

),

timed as (

    select * from {{ ref('int_losses_timed') }}

),

candidates as (

    select * from {{ ref('int_losses_concentrated') }}
    union all by name
    select * from {{ ref('int_losses_fallen') }}

),

-- Names are clients': no longer than a line, and without what a terminal would obey.
named as (

    select
        check_name,
        check_date,
        app_id,
        platform,
        replace(dimension, '_', ' ') || ' ' || regexp_replace(left(dimension_value, 100), '[[:cntrl:]]', '', 'g')
        || ' (' || cast(round(100 * lost_share) as integer) || ' % lost'
        || coalesce('; of the others ' || cast(round(100 * others_share) as integer) || ' %', '') || ')' as whom
    from candidates
    where explained >= 0.5
    qualify row_number() over (
        partition by check_name, check_date, app_id, platform
        order by explained desc, whole asc, dimension asc, dimension_value asc
    ) = 1

),

final as (

    select
        losses.check_name,
        losses.check_date,
        losses.app_id,
        losses.platform,
        'Most of it: ' || concat_ws(
            ', ', named.whom, 'from ' || timed.first_hour || ' to ' || timed.after_last_hour || ' o''clock UTC'
        ) || '. ' as whereabouts
    from losses
    left join named
        on
            losses.check_name = named.check_name
            and losses.check_date = named.check_date
            and losses.app_id = named.app_id
            and losses.platform = named.platform
    left join timed
        on
            losses.check_name = timed.check_name
            and losses.check_date = timed.check_date
            and losses.app_id = timed.app_id
            and losses.platform = timed.platform
    where named.check_name is not null or timed.check_name is not null

)

select * from final
