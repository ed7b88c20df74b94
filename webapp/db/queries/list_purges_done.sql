-- Serves: noting that owed lists are purged; owed once more where a change is too young to be read.
-- Index: list_purges_pkey
update list_purges set
    purged_at = %(now)s,
    due_at = case when changed_at > %(now)s - %(lag)s::interval
        then %(now)s + %(pause)s::interval end
where tag = any(%(tags)s::text[])
returning tag, due_at is not null
