-- Serves: noting a look, and when the next one is due.
-- Index: webhook_deliveries_delivery
update webhook_deliveries
set looks_done = %(number)s, next_look_at = %(next_look_at)s
where delivery = %(delivery)s and looks_done < %(number)s
