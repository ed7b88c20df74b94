-- Serves: whether the rules are to be evaluated, or someone to be told; and what time it is.
-- Index: alert_clocks_pkey
select evaluated_at, wake_at, clock_timestamp() as now
from alert_clocks
where name = %(clock)s
