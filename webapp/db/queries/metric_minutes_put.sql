-- Serves: the roll-up of closed minutes: written again, a minute only ever grows.
-- Index: metric_minutes_pkey
insert into metric_minutes (series_id, ts, count, sum, buckets)
select *
from unnest(
    %(series)s::integer[], %(starts)s::timestamptz[], %(counts)s::bigint[],
    %(sums)s::double precision[], %(buckets)s::bytea[]
)
on conflict (series_id, ts) do update
set count = excluded.count, sum = excluded.sum, buckets = excluded.buckets
where excluded.count >= metric_minutes.count
