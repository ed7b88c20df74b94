-- Serves: pause, resume and cancel.
-- Index: warming_runs_waiting
update warming_runs
set state = %(state)s, ended_at = case when %(state)s = 'cancelled' then now() end
where id = %(run)s and state = any(%(before)s::text[])
