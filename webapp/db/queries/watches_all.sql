-- Serves: what is kept warm, by name.
-- Index: watches_pkey
select name, kind, source, added_at from watches order by name limit %(rows)s
