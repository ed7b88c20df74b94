-- Serves: charts and alerts: minutes, added up by steps. Bytes of histograms add up by concatenation.
-- Index: metric_minutes_pkey
select series_id, date_bin(%(step)s, ts, 'epoch') as ts, sum(count)::bigint as count, sum(sum) as sum,
       min(least) as least, max(most) as most, string_agg(buckets, ''::bytea) as buckets
from metric_minutes
where series_id = any (%(series)s) and ts >= %(since)s and ts < %(until)s
  and ts <> all (%(without)s::timestamptz[])
group by series_id, date_bin(%(step)s, ts, 'epoch')
