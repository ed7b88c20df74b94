-- Serves: each evaluation, and the alerts page. There are few: what is simply ok has no row.
-- Index: alerts_pkey
select rule, severity, subject, state, since, value, fired_at, resolved_at, told_at, runs
from alerts
order by rule, severity, subject
limit %(rows)s
