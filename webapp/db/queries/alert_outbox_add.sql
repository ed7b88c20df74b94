-- Serves: a message to a receiver, in the transaction that decides to send it.
-- Index: none
insert into alert_outbox (receiver, body, created_at, next_try_at)
values (%(receiver)s, %(body)s, %(now)s, %(now)s)
