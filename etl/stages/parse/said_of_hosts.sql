-- The registrable domains of the distinct hosts of one written day.
--
-- Takes: said_of_hosts, $written (a day's file of messages), $day.
-- Gives: said_of_hosts with those of the day's hosts.

insert into said_of_hosts
select
    cast($day as date) as event_date,
    url_host,
    url_domain
from read_parquet($written, hive_partitioning = false)
where url_host is not null
group by all
union
select
    cast($day as date) as event_date,
    referrer_host,
    referrer_domain
from read_parquet($written, hive_partitioning = false)
where referrer_host is not null
group by all;
