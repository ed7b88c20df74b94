-- Serves: delivery. The first message that waits for a receiver, if it is due. Nobody else gets it
-- before `until`. Not SKIP LOCKED: that would take the second while another claims the first.
-- Index: alert_outbox_pending, alert_outbox_pkey
update alert_outbox
set attempts = attempts + 1, next_try_at = %(until)s
where id = (
        select id from alert_outbox
        where receiver = %(receiver)s and done_at is null
        order by id limit 1
        for update
    )
    and next_try_at <= %(now)s
    and done_at is null
returning id, body, created_at, attempts
