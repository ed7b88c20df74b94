-- Serves: charts and alerts, by the hour.
-- Index: metric_hours_pkey
select series_id, ts, count, sum, buckets
from metric_hours
where series_id = any (%(series)s) and ts >= %(since)s and ts < %(until)s
