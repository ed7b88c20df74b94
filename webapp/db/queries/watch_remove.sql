-- Serves: watching a name no longer.
-- Index: watches_pkey
delete from watches where name = %(watch)s
