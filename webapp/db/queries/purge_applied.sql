-- Serves: noting that Redis has heard purges.
-- Index: purges_pending
update purges set applied_at = now()
where id = any(%(ids)s::bigint[]) and applied_at is null
