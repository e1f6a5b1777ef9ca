-- What libraries said of the values of $day, in an order of its own, so that it has a digest.
--
-- Takes: said_of_agents, said_of_hosts.
-- Gives: rows (kind, said).

select
    'agent' as kind,
    cast(to_json(said) as varchar) as said
from said_of_agents as said
where said.event_date = cast($day as date)
union all
select
    'host' as kind,
    cast(to_json(said) as varchar) as said
from said_of_hosts as said
where said.event_date = cast($day as date)
order by all;
