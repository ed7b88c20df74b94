-- Serves: forgetting an alert that is simply ok.
-- Index: alerts_pkey
delete from alerts
where rule = %(rule)s and severity = %(severity)s and subject = %(subject)s
