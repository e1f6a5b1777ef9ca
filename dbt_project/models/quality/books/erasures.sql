with erasures as (

    select * from {{ ref('stg_lake__erasures') }}

),

final as (

    select
        erasure,
        asked_at,
        kind,
        person_count,
        line_count,
        message_count,
        first_date,
        last_date
    from erasures

)

select * from final
