-- Serves: the database page: size, connections, cache hits and the longest transaction.
-- Index: none
select
    current_setting('server_version') as version,
    pg_database_size(current_database())::bigint as bytes,
    (select count(*) from pg_stat_activity where datname = current_database())::int as connections,
    current_setting('max_connections')::int as connections_most,
    (select case when blks_hit + blks_read > 0 then blks_hit::float8 / (blks_hit + blks_read) end
     from pg_stat_database where datname = current_database()) as cache_hits,
    (select coalesce(extract(epoch from max(now() - xact_start)), 0)::float8
     from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()) as longest_seconds,
    (select count(*) from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock')::int as waiting_for_locks
