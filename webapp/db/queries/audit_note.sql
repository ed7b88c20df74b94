-- Serves: noting what an operator did.
-- Index: none
insert into audit (who, what, target, detail)
values (%(who)s, %(what)s, %(target)s, %(detail)s)
