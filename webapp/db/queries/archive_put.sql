-- Serves: keeping GitHub's answer. Refused for what is older than what is held, and for what
-- was asked for before a hard purge of one of its tags.
-- Index: upstream_responses_pkey, purges_hard
insert into upstream_responses as held (
    key, path, tags, status, accept, api_version, etag, last_modified, link, content_type,
    request_id, headers, body, fetched_at, confirmed_at, used_at, credential
)
select %(key)s, %(path)s, %(tags)s::text[], %(status)s, %(accept)s, %(api_version)s, %(etag)s,
       %(last_modified)s, %(link)s, %(content_type)s, %(request_id)s, %(headers)s::jsonb,
       %(body)s::bytea, %(fetched_at)s, %(confirmed_at)s, %(used_at)s, %(credential)s
where not exists (
    select from purges
    where hard and created_at >= %(fetched_at)s and tags && %(tags)s::text[]
)
on conflict (key) do update set
    path = excluded.path, tags = excluded.tags, status = excluded.status,
    accept = excluded.accept, api_version = excluded.api_version, etag = excluded.etag,
    last_modified = excluded.last_modified, link = excluded.link,
    content_type = excluded.content_type, request_id = excluded.request_id,
    credential = excluded.credential, headers = excluded.headers, body = excluded.body,
    fetched_at = excluded.fetched_at,
    confirmed_at = excluded.confirmed_at, used_at = greatest(held.used_at, excluded.used_at)
where held.confirmed_at <= excluded.fetched_at
