-- Serves: the roll-up: room for what comes, and what is too old dropped.
-- Index: none
select metric_partitions('metric_minutes', 'day', %(since)s, %(until)s, %(minutes_from)s)
     + metric_partitions('metric_fives', 'day', %(since)s, %(until)s, %(minutes_from)s)
     + metric_partitions('metric_hours', 'month', %(since)s, %(until)s, %(hours_from)s) as dropped
