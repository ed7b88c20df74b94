-- Serves: a run's progress, and its lease; tells what has been done to the run meanwhile.
-- Index: warming_runs_pkey
update warming_runs
set place = %(place)s, page = %(page)s, done = %(done)s, total = %(total)s, points = %(points)s,
    saved = %(saved)s, failures = %(failures)s, last_error = %(last_error)s,
    leased_until = now() + %(seconds)s * interval '1 second'
where id = %(run)s and lease = %(lease)s
returning state
