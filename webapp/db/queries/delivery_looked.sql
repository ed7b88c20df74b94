-- Serves: noting a look, and when the next one is due; lost in a crash, it is done twice.
-- Index: webhook_deliveries_delivery
update webhook_deliveries
set looks_done = %(number)s, next_look_at = %(next_look_at)s
where delivery = %(delivery)s and looks_done < %(number)s
    and set_config('synchronous_commit', 'off', true) = 'off'
