-- Serves: upkeep: history's far end, so many rows at a time.
-- Index: repository_days_day
delete from repository_days
where ctid = any(
    array(select ctid from repository_days where day < %(before)s limit %(rows)s)
)
