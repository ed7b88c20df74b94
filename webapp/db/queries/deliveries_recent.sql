-- Serves: the list of deliveries of a period, the last first.
-- Index: webhook_deliveries_received_at
select delivery, event, action, owner, repo, hard_tags, soft_tags, list_tags,
    received_at, lag, duplicates, purged_at, looks_done, next_look_at
from webhook_deliveries
where received_at >= %(since)s
order by received_at desc
limit %(rows)s
