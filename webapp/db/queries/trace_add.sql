-- Serves: noting a transaction; in batches, once a second.
-- Index: none
insert into traces (
    began, trace_id, transaction_id, parent_id, kind, name, resource, outcome, result, ms, failed,
    kept
) values (
    %(began)s, %(trace_id)s, %(transaction_id)s, %(parent_id)s, %(kind)s, %(name)s, %(resource)s,
    %(outcome)s, %(result)s, %(ms)s, %(failed)s, %(kept)s
)
