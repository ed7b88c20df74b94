-- Serves: watching a name; what is watched already stays as it is.
-- Index: watches_pkey
insert into watches (name, kind, source) values (%(watch)s, %(kind)s, %(source)s)
on conflict (name) do nothing
