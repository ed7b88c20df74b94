-- Serves: the setting WATCH, put into the table.
-- Index: watches_pkey
insert into watches (name, kind, source)
select name, case when name like '%%/%%' then 'repo' else 'owner' end, 'env'
from unnest(%(names)s::text[]) as name
on conflict (name) do nothing
