-- Serves: noting an evaluation.
-- Index: alert_clocks_pkey
insert into alert_clocks (name, evaluated_at, wake_at)
values (%(clock)s, %(evaluated_at)s, %(wake_at)s)
on conflict (name) do update
set evaluated_at = excluded.evaluated_at, wake_at = excluded.wake_at
