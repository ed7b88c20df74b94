-- Serves: a repository's own page: its last deliveries, the last first.
-- Index: webhook_deliveries_repo
select delivery, event, action, owner, repo, hard_tags, soft_tags, list_tags,
    received_at, lag, duplicates, purged_at, looks_done, next_look_at
from webhook_deliveries
where owner = %(owner)s and repo = %(repo)s and repo <> ''
order by received_at desc
limit %(rows)s
