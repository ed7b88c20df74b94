-- Serves: one roll-up at a time, until its transaction ends.
-- Index: none
select pg_try_advisory_xact_lock(hashtext('forewarm metrics')) as held
