-- Serves: forgetting purges that are applied and past their replay.
-- Index: purges_created_at
delete from purges where created_at < %(before)s and applied_at is not null
