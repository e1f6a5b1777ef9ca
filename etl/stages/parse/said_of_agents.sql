-- What libraries said of the distinct values of one written day.
--
-- Takes: agents, said_of_agents, said_of_hosts, $written (a day's file of messages or pixel hits), $day.
-- Gives: said_of_agents with what was said of the day's user agents.

insert into said_of_agents
with seen as (
    select distinct written.user_agent
    from read_parquet($written, hive_partitioning = false) as written
)

select
    cast($day as date) as event_date,
    agents.user_agent,
    agents.browser,
    agents.browser_version,
    agents.os,
    agents.os_version,
    agents.device,
    agents.is_touch,
    agents.ua_bot_reason
from agents
inner join seen on agents.user_agent is not distinct from seen.user_agent;
