with source as (

    select * from {{ source('lake', 'quarantine') }}

),

renamed as (

    select
        source_file,
        file_id,
        line_number,
        position as batch_position,
        reason,
        detail,
        payload,
        received_at,
        event_id,
        schema as schema_name,
        app_id,
        platform,
        tracker,
        stream_id,
        message_index,
        coalesce(payload_key, md5(coalesce(payload, ''))) as payload_key
    from source

)

select * from renamed
