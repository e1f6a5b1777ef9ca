with source as (

    select * from {{ source('lake', 'spend') }}

),

renamed as (

    select
        date as spend_date,
        source,
        medium,
        campaign,
        impressions,
        clicks,
        cost,
        currency,
        source_file,
        line_number,
        file_id
    from source

)

select * from renamed
