-- Serves: forgetting runs that ended long ago.
-- Index: warming_runs_ended_at
delete from warming_runs where ended_at < %(before)s
