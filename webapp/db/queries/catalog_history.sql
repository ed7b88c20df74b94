-- Serves: a repository's history, from the index alone.
-- Index: repository_days_pkey
select day, stars, forks, open_issues
from repository_days
where repository_id = %(id)s and day >= %(since)s
order by day
