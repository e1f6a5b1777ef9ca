with parsed as (

    select * from {{ lake(source('lake', 'quarantine'), 'quarantine/*.parquet') }}

),

collided as (

    select *
    from
        {{ lake(
            source('lake', 'quarantine_collisions'),
            'quarantine_collisions/event_date=*/*.parquet',
            'event_date'
        ) }}

),

unioned as (

    select
        source_file,
        line_number,
        position,
        reason,
        detail,
        payload,
        received_at
    from parsed
    union all
    select
        source_file,
        line_number,
        position,
        reason,
        detail,
        payload,
        received_at
    from collided

),

renamed as (

    select
        source_file,
        line_number,
        position as batch_position,
        reason,
        detail,
        payload,
        received_at
    from unioned

)

select * from renamed
