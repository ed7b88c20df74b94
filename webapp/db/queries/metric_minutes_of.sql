-- Serves: charts and alerts, by the minute.
-- Index: metric_minutes_pkey
select series_id, ts, count, sum, buckets
from metric_minutes
where series_id = any (%(series)s) and ts >= %(since)s and ts < %(until)s
