-- Serves: the history of alerts.
-- Index: none
insert into alert_changes (at, rule, severity, subject, was, became, value)
values (%(at)s, %(rule)s, %(severity)s, %(subject)s, %(was)s, %(became)s, %(value)s)
