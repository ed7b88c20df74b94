-- Serves: a waterfall: every transaction of a trace, with its spans.
-- Index: traces_trace_id, trace_details_trace_id
select
    traces.began, trace_id, transaction_id, parent_id, kind, name, resource, outcome, result, ms,
    failed, kept, detail
from traces
join trace_details using (trace_id, transaction_id)
where trace_id = %(trace_id)s
order by traces.began
limit %(limit)s
