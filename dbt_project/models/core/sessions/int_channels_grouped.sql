{{ config(materialized='in_place_view') }}

with landings as (

    select * from {{ ref('int_landings_sourced') }}

),

spend as (

    select * from {{ ref('stg_lake__spend') }}

),

combinations as (

    select
        source,
        medium,
        campaign
    from landings
    where {{ built_days('session_date') }}
    union
    select
        source,
        medium,
        campaign
    from spend

),

{{ channels_of_combinations() }}

select * from grouped
