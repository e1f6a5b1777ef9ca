-- Messages with who they are from: whole addresses, and for Snowplow's without any id a pseudonym.
--
-- An address that the collector has cut (privacy) is nobody's.
--
-- Takes: read_messages, clients (client: an address as it stands in a line; ip, address_from_client), pseudonyms (ip,
-- user_agent, pseudonym).
-- Gives: decoded (the columns of read_messages, address_from_client, is_agent_unknown).

create or replace temp view decoded as
select
    read_messages.* replace (
        clients.ip as ip,
        case
            when read_messages.visitor_id is not null then read_messages.visitor_id
            when read_messages.is_snowplow and read_messages.privacy is null and read_messages.reason is null
                then pseudonyms.pseudonym
        end as visitor_id
    ),
    clients.address_from_client,
    -- An export that does not say who reads says nothing of bots.
    read_messages.is_foreign and not read_messages.is_snowplow and read_messages.user_agent is null as is_agent_unknown
from read_messages
left join clients on read_messages.ip = clients.client
left join pseudonyms
    on clients.ip = pseudonyms.ip and read_messages.user_agent is not distinct from pseudonyms.user_agent;
