-- Serves: the database page: the statements that took most time in a period.
-- Index: statement_minutes_minute, statement_totals_pkey
select
    t.queryid, t.query, m.calls, m.total_ms, m.rows_returned, m.blocks_hit, m.blocks_read
from (
    select
        queryid, sum(calls)::bigint as calls, sum(total_ms) as total_ms,
        sum(rows_returned)::bigint as rows_returned, sum(blocks_hit)::bigint as blocks_hit,
        sum(blocks_read)::bigint as blocks_read
    from statement_minutes
    where minute >= %(since)s
    group by queryid
    order by sum(total_ms) desc
    limit %(limit)s
) m
join statement_totals t on t.queryid = m.queryid
order by m.total_ms desc
