-- Serves: the database page: each index' size and use, the largest first.
-- Index: none
select
    s.indexrelname as name,
    s.relname as table_name,
    pg_relation_size(s.indexrelid)::bigint as bytes,
    coalesce(s.idx_scan, 0) as scans,
    i.indisunique or i.indisprimary as is_constraint
from pg_stat_user_indexes s
join pg_index i on i.indexrelid = s.indexrelid
where s.schemaname = current_schema()
order by bytes desc, name
limit %(most)s
