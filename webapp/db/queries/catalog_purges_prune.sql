-- Serves: upkeep: whatever is older than this is fetched anew for its age alone. A small table.
-- Index: none
delete from catalog_purges where purged_at < %(before)s
