with source as (

    select *
    from {{ lake(source('lake', 'spend'), 'spend/*.parquet') }}

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
        line_number
    from source

)

select * from renamed
