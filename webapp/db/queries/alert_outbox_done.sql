-- Serves: delivery: a message that was sent, or never will be.
-- Index: alert_outbox_pkey
update alert_outbox
set done_at = %(now)s, result = %(result)s, error = %(error)s
where id = %(id)s and done_at is null
