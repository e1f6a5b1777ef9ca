with counted as (

    select * from {{ ref('int_page_views_counted') }}
    where not {{ has_events('session_date') }}

),

access_policy as (

    select * from {{ ref('int_access_policy') }}

),

-- What was excluded of a quarter of an hour by itself may be excluded with all of it now.
final as (

    select
        counted.session_id,
        counted.visitor_id,
        counted.user_id,
        counted.session_date,
        counted.viewed_from,
        counted.app_id,
        counted.platform,
        cast(sum(counted.page_views) as bigint) as page_views,
        counted.is_access,
        counted.is_bot,
        counted.is_excluded,
        {{ counts('counted') }} as is_counted
    from counted
    cross join access_policy
    group by all

)

select * from final
