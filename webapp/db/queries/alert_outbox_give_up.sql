-- Serves: upkeep: messages too old to be of use.
-- Index: alert_outbox_waiting
update alert_outbox
set done_at = %(now)s, result = 'given up'
where done_at is null and created_at < %(before)s
