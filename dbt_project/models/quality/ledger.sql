with files as (

    select * from {{ ref('stg_lake__files') }}

),

-- A row of spend counts, or another file corrects it.
spend_counts as (

    select
        source_file,
        count(*) filter (where is_chosen) as accepted_count,
        count(*) filter (where not is_chosen) as duplicate_count,
        0 as collision_count
    from {{ ref('int_spend_chosen') }}
    group by source_file

),

event_counts as (

    select
        source_file,
        accepted_count,
        duplicate_count,
        collision_count
    from {{ ref('stg_lake__event_counts') }}
    union all
    select * from spend_counts

),

counts_by_file as (

    select
        source_file,
        sum(accepted_count) as accepted_count,
        sum(duplicate_count) as duplicate_count,
        sum(collision_count) as collision_count
    from event_counts
    group by source_file

),

joined as (

    select
        files.source_file,
        files.inbox_folder,
        files.landing_status,
        files.landing_detail,
        files.is_unread,
        cast(coalesce(counts_by_file.accepted_count, 0) as bigint) as accepted,
        cast(coalesce(counts_by_file.duplicate_count, 0) as bigint) as duplicates,
        cast(coalesce(files.quarantined_count, 0) + coalesce(counts_by_file.collision_count, 0) as bigint)
            as quarantined,
        coalesce(files.line_count, 0) as lines,
        coalesce(files.bad_line_count, 0) as bad_lines,
        coalesce(files.unrouted_count, 0) as unrouted,
        coalesce(files.refused_at_edge_count, 0) as refused_at_edge,
        coalesce(files.message_count, 0) as messages
    from files
    left join counts_by_file on files.source_file = counts_by_file.source_file

),

final as (

    select
        source_file,
        inbox_folder,
        landing_status,
        landing_detail,
        is_unread,
        lines,
        bad_lines,
        unrouted,
        refused_at_edge,
        messages,
        accepted,
        duplicates,
        quarantined,
        messages - accepted - duplicates - quarantined as balance
    from joined

)

select * from final
