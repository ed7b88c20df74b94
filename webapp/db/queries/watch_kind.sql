-- Serves: what GitHub said an owner is.
-- Index: watches_pkey
update watches set kind = %(kind)s where name = %(watch)s
