-- The two indexes that repositories_terms (0012) stands in for.
--
-- To drop them takes the table alone: for a moment, but readers that come meanwhile wait behind it.
-- So it waits no longer for those who read already than readers can; longer than the second after
-- which PostgreSQL calls its own vacuum off.

set local lock_timeout = '3s';
drop index if exists repositories_search, repositories_topics;
