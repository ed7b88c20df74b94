-- Serves: the archive's answer to one key, if it was used recently enough to be kept.
-- Index: upstream_responses_pkey
select key, path, tags, status, accept, api_version, etag, last_modified, link, content_type,
       request_id, headers, body, fetched_at, confirmed_at, used_at, credential
from upstream_responses
where key = %(key)s and used_at > %(unused_since)s
