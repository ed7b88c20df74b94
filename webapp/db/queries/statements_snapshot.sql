-- Serves: the minute's snapshot: what each statement did since the last one. Counts that went back
-- were reset, or their entry was evicted and came anew: then all of them are since. Where the last
-- snapshot is missing or too old, nobody knows in which minute it was, and only totals are noted.
-- Index: none
with present as materialized (
    select
        s.queryid, left(min(s.query), 2000) as query, sum(s.calls)::bigint as calls,
        sum(s.total_exec_time) as total_ms, sum(s.rows)::bigint as rows_returned,
        sum(s.shared_blks_hit)::bigint as blocks_hit, sum(s.shared_blks_read)::bigint as blocks_read
    from pg_stat_statements s
    where
        s.dbid = (select d.oid from pg_database d where d.datname = current_database())
        and s.queryid is not null and s.toplevel
    group by s.queryid
),
last as (
    select max(t.taken_at) >= %(recent)s as is_recent from statement_totals t
),
minutes as (
    insert into statement_minutes as held
    select
        p.queryid, %(minute)s, p.calls - since.calls, p.total_ms - since.total_ms,
        p.rows_returned - since.rows_returned, p.blocks_hit - since.blocks_hit,
        p.blocks_read - since.blocks_read
    from present p
    join last on last.is_recent
    left join statement_totals t on t.queryid = p.queryid
    cross join lateral (
        select
            case when t.calls <= p.calls then t.calls else 0 end as calls,
            case when t.calls <= p.calls then t.total_ms else 0 end as total_ms,
            case when t.calls <= p.calls then t.rows_returned else 0 end as rows_returned,
            case when t.calls <= p.calls then t.blocks_hit else 0 end as blocks_hit,
            case when t.calls <= p.calls then t.blocks_read else 0 end as blocks_read
    ) since
    where p.calls > since.calls
    on conflict (queryid, minute) do update
    set
        calls = held.calls + excluded.calls,
        total_ms = held.total_ms + excluded.total_ms,
        rows_returned = held.rows_returned + excluded.rows_returned,
        blocks_hit = held.blocks_hit + excluded.blocks_hit,
        blocks_read = held.blocks_read + excluded.blocks_read
)
insert into statement_totals as held
select
    p.queryid, p.query, p.calls, p.total_ms, p.rows_returned, p.blocks_hit, p.blocks_read, %(now)s
from present p
on conflict (queryid) do update
set
    calls = excluded.calls,
    total_ms = excluded.total_ms,
    rows_returned = excluded.rows_returned,
    blocks_hit = excluded.blocks_hit,
    blocks_read = excluded.blocks_read,
    taken_at = excluded.taken_at
where held.calls <> excluded.calls
