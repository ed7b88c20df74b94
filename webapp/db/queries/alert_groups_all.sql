-- Serves: each evaluation.
-- Index: alert_groups_pkey
select name, waiting_since, sent_at
from alert_groups
order by name
limit %(rows)s
