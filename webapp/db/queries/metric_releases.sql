-- Serves: markers on the charts.
-- Index: metric_releases_pkey
select started_at, version, revision
from metric_releases
where started_at >= %(since)s and started_at < %(until)s
order by started_at
