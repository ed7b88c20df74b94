-- Serves: noting that an archived answer was used, once an hour at most.
-- Index: upstream_responses_pkey
update upstream_responses
set used_at = %(now)s
where key = %(key)s and used_at < %(now)s
