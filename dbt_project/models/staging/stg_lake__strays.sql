with source as (

    select * from {{ source('lake', 'strays') }}

),

renamed as (

    select
        source as inbox_folder,
        received_date,
        source_file,
        line_number,
        lines as line_count
    from source

)

select * from renamed
