with source as (

    select * from {{ source('lake', 'conversions') }}

),

renamed as (

    select
        conversion,
        schema_name,
        once_per,
        conditions,
        value as fixed_value,
        value_field,
        currency as fixed_currency,
        currency_field
    from source

)

select * from renamed
