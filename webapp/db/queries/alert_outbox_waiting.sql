-- Serves: the alerts page: how many messages wait for a receiver, since when, and why.
-- Index: alert_outbox_pending
select count(*) as waiting, min(created_at) as since, max(error) as error
from alert_outbox
where receiver = %(receiver)s and done_at is null
