-- Serves: noting a transaction's spans; in batches, once a second.
-- Index: none
insert into trace_details (began, trace_id, transaction_id, detail)
values (%(began)s, %(trace_id)s, %(transaction_id)s, %(detail)s)
