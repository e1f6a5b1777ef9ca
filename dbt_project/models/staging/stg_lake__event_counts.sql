with source as (

    select * from {{ source('lake', 'event_counts') }}

),

renamed as (

    select
        file_id,
        source_file,
        app_id,
        platform,
        tracker,
        event_date,
        accepted as accepted_count,
        duplicates as duplicate_count,
        collisions as collision_count,
        resent as resent_count,
        resent_streamed as resent_streamed_count
    from source

)

select * from renamed
