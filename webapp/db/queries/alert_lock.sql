-- Serves: one evaluator of alerts at a time, the lock goes with its transaction.
-- Index: none
select pg_try_advisory_xact_lock(7306372837418918515) as locked
