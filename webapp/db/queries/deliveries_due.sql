-- Serves: the sweep: looks that no job has done, the longest due first; one sweeper a row.
-- Index: webhook_deliveries_next_look
select delivery, event, action, owner, repo, hard_tags, soft_tags, list_tags,
    received_at, lag, duplicates, purged_at, looks_done, next_look_at
from webhook_deliveries
where next_look_at <= %(before)s
order by next_look_at
limit %(rows)s
for update skip locked
