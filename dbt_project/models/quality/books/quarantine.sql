with quarantine as (

    select * from {{ ref('stg_lake__quarantine') }}

),

-- A line that a file has twice was refused twice; one that another file brings again, once.
numbered as (

    select
        *,
        row_number() over (
            partition by source_file, file_id, reason, detail, payload_key, batch_position, received_at
            order by line_number
        ) as copy_number
    from quarantine

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
    from numbered
    qualify
        row_number() over (
            partition by reason, detail, payload_key, batch_position, received_at, copy_number
            order by source_file, file_id, line_number
        ) = 1

)

select * from final
