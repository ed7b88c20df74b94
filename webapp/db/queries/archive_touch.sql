-- Serves: GitHub's 304: validators and times change, the body stays where it is. Only for the
-- very answer that was asked about: it may have been replaced meanwhile.
-- Index: upstream_responses_pkey
update upstream_responses
set etag = coalesce(%(etag)s, etag),
    credential = coalesce(%(credential)s, credential),
    last_modified = coalesce(%(last_modified)s, last_modified),
    confirmed_at = greatest(confirmed_at, %(confirmed_at)s),
    used_at = case
        when used_at < %(confirmed_at)s::timestamptz - interval '1 hour' then %(confirmed_at)s
        else used_at
    end
where key = %(key)s and fetched_at = %(fetched_at)s
