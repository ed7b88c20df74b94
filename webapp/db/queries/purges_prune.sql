-- Serves: forgetting purges that are applied and past their replay, some rows at a time.
-- Index: purges_created_at, purges_pkey
delete from purges
where id in (
    select id
    from purges
    where created_at < %(before)s and applied_at is not null
    order by created_at
    limit %(rows)s
    for update skip locked
)
