{{ config(materialized='ephemeral') }}

with losses as (

    select * from {{ ref('int_losses_wide') }}
    where check_name in ('event_loss', 'message_gaps')

),

heard as (

    select
        event_date as heard_date,
        app_id,
        platform,
        'collector' as dimension,
        collector_host as dimension_value,
        sum(message_count) as message_count
    from {{ ref('int_messages_hourly') }}
    where not is_access and collector_host is not null
    group by all
    union all
    select
        date as heard_date,
        app_id,
        platform,
        'tracker' as dimension,
        tracker as dimension_value,
        received as message_count
    from {{ ref('message_gaps') }}
    where tracker is not null

),

-- What each said in the week before a loss, and on its day.
compared as (

    select
        losses.check_name,
        losses.check_date,
        losses.app_id,
        losses.platform,
        losses.lost_share,
        heard.dimension,
        heard.dimension_value,
        coalesce(sum(heard.message_count) filter (where heard.heard_date = losses.check_date), 0) as said_count,
        coalesce(sum(heard.message_count) filter (where heard.heard_date < losses.check_date), 0) as said_before_count
    from losses
    inner join heard
        on
            losses.app_id = heard.app_id
            and losses.platform = heard.platform
            and heard.heard_date between losses.check_date - 7 and losses.check_date
    group by all

),

-- What it would have said, if it did as the others do.
expected as (

    select
        *,
        sum(said_count) over values_of_day as all_count,
        sum(said_count) over values_of_day - said_count as others_count,
        cast(said_before_count as double) / nullif(sum(said_before_count) over values_of_day - said_before_count, 0)
        * (sum(said_count) over values_of_day - said_count) as expected_count
    from compared
    window values_of_day as (partition by check_name, check_date, app_id, platform, dimension)

),

-- Messages come some sixteen at a time: chance moves them, and the others' that they are compared with, further than
-- single ones.
missing as (

    select
        *,
        (expected_count - said_count) / (all_count + expected_count - said_count) as missing_share
    from expected
    where expected_count - said_count > 3 * sqrt(16 * (expected_count + power(expected_count, 2) / others_count))

),

-- The loss is its if as much is missing as was lost; a tracker that another one replaces misses something else.
final as (

    select
        check_name,
        check_date,
        app_id,
        platform,
        dimension,
        dimension_value,
        expected_count as whole,
        cast(null as double) as others_share,
        1 - said_count / expected_count as lost_share,
        least(lost_share, missing_share) / greatest(lost_share, missing_share) as explained
    from missing

)

select * from final
