-- Serves: the alerts page's history, the latest first.
-- Index: alert_changes_at
select at, rule, severity, subject, was, became, value
from alert_changes
where at >= %(since)s
order by at desc, id desc
limit %(rows)s
