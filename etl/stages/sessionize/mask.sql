-- Messages with of their addresses what may be shown.
--
-- Takes: messages, shown_addresses (ip, shown_ip: null of what may not stay).
-- Gives: masked (a view, with the columns of messages).

create view masked as
select messages.* replace (shown_addresses.shown_ip as ip)
from messages
left join shown_addresses on messages.ip = shown_addresses.ip;
