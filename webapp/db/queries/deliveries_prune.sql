-- Serves: forgetting old deliveries, the oldest first.
-- Index: webhook_deliveries_received_at, webhook_deliveries_pkey
delete from webhook_deliveries where id in (
    select id from webhook_deliveries
    where received_at < %(before)s
    order by received_at
    limit %(rows)s
)
