with quarantine as (

    select * from {{ ref('stg_lake__quarantine') }}

),

final as (

    select
        source_file,
        line_number,
        batch_position,
        reason,
        detail,
        payload,
        received_at
    from quarantine

)

select * from final
