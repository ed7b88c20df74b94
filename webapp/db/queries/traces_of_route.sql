-- Serves: the dashboard's newest traces of a route, a job or a resource in a period.
-- Index: traces_name
select
    began, trace_id, transaction_id, parent_id, kind, name, resource, outcome, result, ms, failed,
    kept
from traces
where name = %(route)s and began >= %(since)s and began < %(until)s
    and (%(outcome)s::text is null or outcome = %(outcome)s)
    and ms >= %(at_least_ms)s
order by began desc
limit %(limit)s
