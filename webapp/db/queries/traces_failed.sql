-- Serves: the dashboard's newest failed traces of a period.
-- Index: traces_failed
select
    began, trace_id, transaction_id, parent_id, kind, name, resource, outcome, result, ms, failed,
    kept
from traces
where failed and began >= %(since)s and began < %(until)s
    and (%(route)s::text is null or name = %(route)s)
    and (%(outcome)s::text is null or outcome = %(outcome)s)
    and ms >= %(at_least_ms)s
order by began desc
limit %(limit)s
