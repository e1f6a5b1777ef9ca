-- Visit number 1 makes a new visitor: two firsts or none falsify every count of new visitors.
-- A row is a person whose visit numbers are not 1 to the number of sessions.
with sessions as (

    select * from {{ ref('sessions') }}

),

numbered as (

    select
        person_id,
        count(*) as session_count,
        count(distinct visit_number) as distinct_count,
        min(visit_number) as first_number,
        max(visit_number) as last_number
    from sessions
    group by person_id

),

broken as (

    select * from numbered
    where
        first_number is distinct from 1
        or last_number is distinct from session_count
        or distinct_count is distinct from session_count

)

select * from broken
