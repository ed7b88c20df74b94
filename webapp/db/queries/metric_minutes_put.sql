-- Serves: the roll-up of closed minutes: written again, one only ever grows.
-- Index: metric_minutes_pkey
insert into metric_minutes (series_id, ts, count, sum, least, most, buckets)
select *
from unnest(
    %(series)s::integer[], %(starts)s::timestamptz[], %(counts)s::bigint[],
    %(sums)s::double precision[], %(leasts)s::bigint[], %(mosts)s::bigint[], %(buckets)s::bytea[]
)
on conflict (series_id, ts) do update
set count = excluded.count, sum = excluded.sum, least = excluded.least, most = excluded.most,
    buckets = excluded.buckets
where excluded.count >= metric_minutes.count
