-- Serves: a look that a later delivery of the same tags will take, which has purged them meanwhile.
-- Index: webhook_deliveries_delivery, webhook_deliveries_next_look
select later.delivery from webhook_deliveries as held
join webhook_deliveries as later
    on later.next_look_at is not null
    and later.received_at > held.received_at
    and later.looks_done < %(number)s
    and later.purged_at is not null
    and (later.hard_tags || later.soft_tags) @> (held.hard_tags || held.soft_tags)
where held.delivery = %(delivery)s
limit 1
