-- Serves: an operator who wants to be told again.
-- Index: silences_pkey
update silences set ends_at = %(now)s where id = %(id)s and ends_at > %(now)s
