-- Serves: replaying one delivery.
-- Index: webhook_deliveries_delivery
select delivery, event, action, owner, repo, hard_tags, soft_tags, list_tags,
    received_at, lag, duplicates, purged_at, looks_done, next_look_at
from webhook_deliveries where delivery = %(delivery)s
