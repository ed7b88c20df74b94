-- Serves: whatever is purged: rows seen before are known to have changed.
-- Index: catalog_purges_pkey
insert into catalog_purges as held (tag, purged_at)
select distinct tag, %(at)s::timestamptz from unnest(%(tags)s::text[]) as tag order by tag
on conflict (tag) do update set purged_at = greatest(held.purged_at, excluded.purged_at)
