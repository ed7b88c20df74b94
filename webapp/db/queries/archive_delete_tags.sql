-- Serves: hard purges.
-- Index: upstream_responses_tags
delete from upstream_responses
where tags && %(tags)s::text[]
