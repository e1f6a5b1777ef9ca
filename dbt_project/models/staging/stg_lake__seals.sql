with source as (

    select * from {{ source('lake', 'seals') }}

),

renamed as (

    select
        sealed_before,
        events_before,
        rows_before,
        sealed_at,
        keep_days,
        files as file_count,
        lines as line_count,
        bytes as byte_count
    from source

)

select * from renamed
