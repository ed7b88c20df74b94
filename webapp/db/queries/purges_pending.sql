-- Serves: what Redis must hear before it is trusted again, the oldest first.
-- Index: purges_pending
select id, tags, hard, cause, detail from purges
where applied_at is null and id > %(after)s
order by id
limit %(rows)s
