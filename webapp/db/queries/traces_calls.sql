-- Serves: the GitHub page: what the newest traces that are kept called, the slowest path first.
-- Index: traces_began, trace_details_trace_id
select split_part(split_part(span -> 8 ->> 'url', '?', 1), '#', 1) as url,
    count(*) as calls, avg((span ->> 3)::float) as mean_ms, max((span ->> 3)::float) as most_ms,
    (array_agg(newest.trace_id order by (span ->> 3)::float desc))[1] as trace_id
from (
    select began, trace_id, transaction_id
    from traces
    where began >= %(since)s and began < %(until)s
    order by began desc
    limit %(traces)s
) as newest
cross join lateral (
    select detail
    from trace_details
    where trace_details.trace_id = newest.trace_id and trace_details.began = newest.began
        and trace_details.transaction_id = newest.transaction_id
    limit 1
) as details
cross join jsonb_array_elements(details.detail -> 'spans') as span
where starts_with(span -> 8 ->> 'url', %(api_url)s)
group by 1
order by most_ms desc, 1
limit %(rows)s
