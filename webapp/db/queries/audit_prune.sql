-- Serves: forgetting what operators did long ago, some rows at a time.
-- Index: audit_at, audit_pkey
delete from audit
where id in (
    select id
    from audit
    where at < %(before)s
    order by at
    limit %(rows)s
    for update skip locked
)
