-- Serves: the minute's snapshot: whether pg_stat_statements is here, and loaded.
-- Index: none
select
    to_regclass('pg_stat_statements') is not null
    and current_setting('pg_stat_statements.max', true) is not null as available
