-- Serves: whether the rules are to be evaluated, or someone to be told, and what time it is.
-- Index: alert_clocks_pkey
select coalesce(max(evaluated_at), 'epoch') as evaluated_at, max(wake_at) as wake_at,
       clock_timestamp() as now
from alert_clocks
where name = %(clock)s
