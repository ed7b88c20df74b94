-- Serves: a repository's own page: the purges of its tag that are still noted, the last first.
-- Index: purges_created_at
select hard, cause, detail, created_at, applied_at
from purges
where created_at >= %(since)s and %(tag)s = any (tags)
order by created_at desc
limit %(rows)s
