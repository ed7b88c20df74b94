-- Serves: forgetting what nobody used for 7 days, some rows at a time.
-- Index: upstream_responses_used_at, upstream_responses_pkey
delete from upstream_responses
where key in (
    select key
    from upstream_responses
    where used_at <= %(unused_since)s
    order by used_at
    limit %(rows)s
    for update skip locked
)
