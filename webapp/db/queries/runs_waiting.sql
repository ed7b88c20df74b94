-- Serves: runs that nobody works at and that aren't put off.
-- Index: warming_runs_waiting
select id from warming_runs
where state in ('queued', 'running')
  and (leased_until is null or leased_until < now())
  and (put_off_to is null or put_off_to < now())
order by id
limit %(rows)s
