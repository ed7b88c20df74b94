-- Serves: forgetting lists whose pause is long over and that are owed nothing.
-- Index: list_purges_purged_at, list_purges_pkey
delete from list_purges where tag in (
    select tag from list_purges
    where purged_at < %(before)s and due_at is null
    order by purged_at
    limit %(rows)s
    for update skip locked
)
