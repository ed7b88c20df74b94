-- Serves: noting that a delivery's purges are done.
-- Index: webhook_deliveries_delivery
update webhook_deliveries set purged_at = %(now)s where delivery = %(delivery)s
