with source as (

    select * from {{ lake(source('lake', 'messages'), 'messages/event_date=*/*.parquet', 'event_date') }}

),

renamed as (

    select
        event_id,
        schema as schema_name,
        event_at,
        visitor_id,
        data as data_json,
        event_date
    from source

)

select * from renamed
