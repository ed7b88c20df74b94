-- Serves: lists whose pause is over; one worker a row.
-- Index: list_purges_due
select tag, cause, detail from list_purges
where due_at <= %(now)s
order by due_at
limit %(rows)s
for update skip locked
