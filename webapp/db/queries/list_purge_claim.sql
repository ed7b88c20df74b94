-- Serves: a counter has changed: the lists that may be purged now, the others owed at the pause's end.
-- Index: list_purges_pkey
insert into list_purges as held (tag, purged_at, changed_at, due_at, cause, detail)
select tag, %(now)s, %(now)s, %(now)s + %(pause)s::interval, %(cause)s, %(detail)s
from unnest(%(tags)s::text[]) as tag
order by tag
on conflict (tag) do update set
    purged_at = case when held.purged_at + %(pause)s::interval <= excluded.purged_at
        then excluded.purged_at else held.purged_at end,
    changed_at = excluded.changed_at,
    due_at = case when held.purged_at + %(pause)s::interval <= excluded.purged_at
        then excluded.due_at else held.purged_at + %(pause)s::interval end,
    cause = excluded.cause,
    detail = excluded.detail
returning tag, purged_at = %(now)s as now, due_at
