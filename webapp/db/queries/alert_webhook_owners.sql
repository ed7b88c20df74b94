-- Serves: whether owners who used to send webhooks still do.
-- Index: webhook_deliveries_received_at
select owner, count(*) as deliveries, max(received_at) as last
from webhook_deliveries
where received_at >= %(since)s and owner <> ''
group by owner
order by deliveries desc
limit %(rows)s
