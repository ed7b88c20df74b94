-- Serves: every read of metrics: the series of some measures.
-- Index: metric_series_name_labels_key
select id, name, labels
from metric_series
where name = any (%(names)s)
