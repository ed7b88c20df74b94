-- Serves: upkeep.
-- Index: alert_outbox_done_at
delete from alert_outbox where done_at < %(before)s
