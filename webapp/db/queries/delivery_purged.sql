-- Serves: noting that a delivery's purges are done; lost in a crash, they are done twice.
-- Index: webhook_deliveries_delivery
update webhook_deliveries set purged_at = %(now)s
where delivery = %(delivery)s and set_config('synchronous_commit', 'off', true) = 'off'
