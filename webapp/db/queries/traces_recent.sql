-- Serves: the dashboard's newest traces of a period, of any route.
-- Index: traces_began
select
    began, trace_id, transaction_id, parent_id, kind, name, resource, outcome, result, ms, failed,
    kept
from traces
where began >= %(since)s and began < %(until)s
    and (%(outcome)s::text is null or outcome = %(outcome)s)
    and ms >= %(at_least_ms)s
order by began desc
limit %(limit)s
