-- Serves: the roll-up: series that are new.
-- Index: metric_series_name_labels_key
insert into metric_series (name, labels)
select name, string_to_array(labels, '|')
from unnest(%(names)s::text[], %(labels)s::text[]) as new (name, labels)
on conflict (name, labels) do nothing
