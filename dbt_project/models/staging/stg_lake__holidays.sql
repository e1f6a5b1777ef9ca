with source as (

    select * from {{ source('lake', 'holidays') }}

),

renamed as (

    select distinct
        date as holiday_date,
        app_id
    from source

)

select * from renamed
