-- Serves: journalling a delivery, or counting it where it is known, before anything is purged.
-- Index: webhook_deliveries_delivery
insert into webhook_deliveries as held
    (delivery, event, action, owner, repo, hard_tags, soft_tags, list_tags,
     received_at, lag, next_look_at)
values (%(delivery)s, %(event)s, %(action)s, %(owner)s, %(repo)s, %(hard_tags)s::text[],
    %(soft_tags)s::text[], %(list_tags)s::text[], %(received_at)s, %(lag)s, %(next_look_at)s)
on conflict on constraint webhook_deliveries_delivery do update set
    duplicates = held.duplicates + 1,
    hard_tags = excluded.hard_tags,
    soft_tags = excluded.soft_tags,
    list_tags = excluded.list_tags,
    purged_at = null,
    looks_done = 0,
    next_look_at = excluded.next_look_at
returning duplicates
