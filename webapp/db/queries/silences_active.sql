-- Serves: each evaluation, and the alerts page.
-- Index: silences_ends_at
select id, rule, subject, reason, created_by, created_at, ends_at
from silences
where ends_at > %(now)s
order by ends_at
limit %(rows)s
