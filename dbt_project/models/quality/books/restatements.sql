with restatements as (

    select * from {{ ref('stg_lake__restatements') }}

),

final as (

    select
        published_at,
        said_date as date,
        metric,
        said_value as value,
        previous_value,
        previous_published_at,
        reason,
        definition
    from restatements

)

select * from final
