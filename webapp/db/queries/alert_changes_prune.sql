-- Serves: upkeep of the history.
-- Index: alert_changes_at
delete from alert_changes where at < %(before)s
