-- Serves: the tags purged hard of late, for a Redis that may have forgotten them.
-- Index: purges_hard
select distinct tag from purges, unnest(tags) as tag
where hard and created_at >= %(since)s
