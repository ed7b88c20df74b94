-- Serves: what a run is to warm, once it is known or known better.
-- Index: warming_runs_pkey
update warming_runs set plan = %(plan)s::text[], total = %(total)s
where id = %(run)s and lease = %(lease)s
