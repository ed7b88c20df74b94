-- Serves: a new run; none where the schedule has one already.
-- Index: none
insert into warming_runs (names, source, plan, total)
values (%(names)s::text[], %(source)s, %(plan)s::text[], coalesce(cardinality(%(plan)s::text[]), 0))
on conflict do nothing
returning id
