-- Serves: delivery: a message that is tried again later.
-- Index: alert_outbox_pkey
update alert_outbox
set next_try_at = %(next_try_at)s, error = %(error)s
where id = %(id)s and done_at is null
