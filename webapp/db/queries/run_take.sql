-- Serves: a worker that goes on with a run, if no other does. Ended and paused runs aren't taken.
-- Index: warming_runs_waiting
update warming_runs
set state = 'running', lease = %(lease)s, leased_until = now() + %(seconds)s * interval '1 second',
    started_at = coalesce(started_at, now()), put_off_to = null
where id = %(run)s and state in ('queued', 'running')
  and (leased_until is null or leased_until < now())
returning id, names, source, state, plan, place, page, done, total, points, saved, failures, last_error,
       created_at, ended_at
