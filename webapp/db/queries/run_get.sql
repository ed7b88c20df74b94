-- Serves: one run.
-- Index: warming_runs_pkey
select id, names, source, state, plan, place, page, done, total, points, saved, failures, last_error,
       created_at, ended_at
from warming_runs where id = %(run)s
