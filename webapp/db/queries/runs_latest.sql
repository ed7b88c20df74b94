-- Serves: the newest runs.
-- Index: warming_runs_pkey
select id, names, source, state, null::text[] as plan, place, page, done, total, points, saved, failures, last_error,
       created_at, ended_at
from warming_runs order by id desc limit %(rows)s
