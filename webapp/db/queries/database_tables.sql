-- Serves: the database page: each table's rows, size and what reads it, the largest first.
-- Index: none
select
    s.relname as name,
    c.reltuples::bigint as rows,
    pg_total_relation_size(s.relid)::bigint as bytes,
    coalesce(s.seq_scan, 0) as sequential_scans,
    coalesce(s.seq_tup_read, 0) as sequential_rows,
    coalesce(s.idx_scan, 0) as index_scans,
    coalesce(s.n_dead_tup, 0) as dead_rows,
    greatest(s.last_autovacuum, s.last_vacuum) as vacuumed_at
from pg_stat_user_tables s
join pg_class c on c.oid = s.relid
where s.schemaname = current_schema()
order by bytes desc, name
limit %(most)s
