-- Serves: what receivers were told.
-- Index: alert_groups_pkey
insert into alert_groups (name, waiting_since, sent_at)
values (%(name)s, %(waiting_since)s, %(sent_at)s)
on conflict (name) do update
set waiting_since = excluded.waiting_since, sent_at = excluded.sent_at
