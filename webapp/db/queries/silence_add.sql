-- Serves: an operator who doesn't want to be told.
-- Index: none
insert into silences (rule, subject, reason, created_by, created_at, ends_at)
values (%(rule)s, %(subject)s, %(reason)s, %(created_by)s, %(created_at)s, %(ends_at)s)
returning id, rule, subject, reason, created_by, created_at, ends_at
