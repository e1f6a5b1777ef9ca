with source as (

    select * from {{ source('lake', 'messages') }}

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
