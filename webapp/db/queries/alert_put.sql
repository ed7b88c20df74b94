-- Serves: an alert as a run left it.
-- Index: alerts_pkey
insert into alerts
    (rule, severity, subject, state, since, value, fired_at, resolved_at, told_at, runs)
values
    (%(rule)s, %(severity)s, %(subject)s, %(state)s, %(since)s, %(value)s, %(fired_at)s,
     %(resolved_at)s, %(told_at)s, %(runs)s)
on conflict (rule, severity, subject) do update
set state = excluded.state, since = excluded.since, value = excluded.value,
    fired_at = excluded.fired_at, resolved_at = excluded.resolved_at,
    told_at = excluded.told_at, runs = excluded.runs
