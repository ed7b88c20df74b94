-- Serves: GitHub's 401, 403, 404, 410 or 451 ends what was archived under a key.
-- Index: upstream_responses_pkey
delete from upstream_responses
where key = %(key)s
