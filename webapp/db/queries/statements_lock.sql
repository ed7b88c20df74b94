-- Serves: the minute's snapshot: one at a time, or both would count the same calls.
-- Index: none
select pg_advisory_xact_lock(7151290447) is null as held
