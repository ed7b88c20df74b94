-- Serves: how many deliveries of each event came in a period, and how late.
-- Index: webhook_deliveries_received_at
select event, action, count(*) as deliveries, sum(duplicates) as duplicates,
    count(*) filter (where hard_tags = '{}' and soft_tags = '{}' and list_tags = '{}') as ignored,
    percentile_cont(0.95) within group (order by lag) as lag_p95
from webhook_deliveries
where received_at >= %(since)s
group by event, action
order by deliveries desc, event, action
