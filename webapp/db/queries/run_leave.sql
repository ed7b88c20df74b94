-- Serves: the end of a worker's turn; of the run too, unless somebody has paused or cancelled it.
-- Index: warming_runs_pkey
update warming_runs
set lease = null, leased_until = null,
    put_off_to = now() + %(put_off)s * interval '1 second',
    state = case when state = 'running' then coalesce(%(state)s::text, state) else state end,
    ended_at = case when state = 'running' and %(state)s::text is not null then now() else ended_at end
where id = %(run)s and lease = %(lease)s
