-- Serves: upkeep: whatever was seen before is fetched anew for its age alone.
-- Index: catalog_purges_purged_at
delete from catalog_purges where purged_at < %(before)s
