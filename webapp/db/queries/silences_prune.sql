-- Serves: upkeep.
-- Index: silences_ends_at
delete from silences where ends_at < %(before)s
