-- Serves: upkeep: minutes past their time, so many rows at once.
-- Index: statement_minutes_minute
delete from statement_minutes
where ctid = any(
    array(select ctid from statement_minutes where minute < %(before)s limit %(rows)s)
)
