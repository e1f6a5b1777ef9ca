with source as (

    select * from {{ source('lake', 'files') }}

),

renamed as (

    select
        source_file,
        source as inbox_folder,
        file_id,
        status as landing_status,
        detail as landing_detail,
        lines as line_count,
        bad_lines as bad_line_count,
        unrouted as unrouted_count,
        refused_at_edge as refused_at_edge_count,
        unrouted_paths,
        messages as message_count,
        valid as valid_count,
        quarantined as quarantined_count,
        erased as erased_count,
        is_parsed,
        is_unread,
        is_left_behind,
        received_from as received_date
    from source

)

select * from renamed
