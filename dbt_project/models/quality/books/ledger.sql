with files as (

    select * from {{ ref('stg_lake__files') }}

),

-- A row of spend counts, or another file corrects it.
spend_counts as (

    select
        file_id,
        count(*) filter (where is_chosen) as accepted_count,
        count(*) filter (where not is_chosen) as duplicate_count,
        0 as collision_count
    from {{ ref('int_spend_chosen') }}
    group by file_id

),

event_counts as (

    select
        file_id,
        accepted_count,
        duplicate_count,
        collision_count
    from {{ ref('stg_lake__event_counts') }}
    union all
    select * from spend_counts

),

counts_by_file as (

    select
        file_id,
        sum(accepted_count) as accepted_count,
        sum(duplicate_count) as duplicate_count,
        sum(collision_count) as collision_count
    from event_counts
    group by file_id

),

joined as (

    select
        files.source_file,
        files.file_id,
        files.inbox_folder,
        files.landing_status as status,
        files.landing_detail as detail,
        cast(coalesce(counts_by_file.accepted_count, 0) as bigint) as accepted,
        cast(coalesce(counts_by_file.duplicate_count, 0) as bigint) as duplicates,
        cast(coalesce(files.quarantined_count, 0) + coalesce(counts_by_file.collision_count, 0) as bigint)
            as quarantined,
        coalesce(files.is_unread, false) as is_unread,
        coalesce(files.line_count, 0) as lines,
        coalesce(files.bad_line_count, 0) as bad_lines,
        coalesce(files.unrouted_count, 0) as unrouted,
        coalesce(files.refused_at_edge_count, 0) as refused_at_edge,
        coalesce(files.message_count, 0) as messages,
        coalesce(files.erased_count, 0) as erased
    from files
    left join counts_by_file on files.file_id = counts_by_file.file_id

),

final as (

    select
        source_file,
        file_id as content,
        inbox_folder,
        status,
        detail,
        is_unread,
        lines,
        bad_lines,
        unrouted,
        refused_at_edge,
        messages,
        accepted,
        duplicates,
        quarantined,
        erased,
        messages - accepted - duplicates - quarantined - erased as balance
    from joined

)

select * from final
