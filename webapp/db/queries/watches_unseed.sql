-- Serves: names that the setting WATCH doesn't have any more. A small table, read whole by name.
-- Index: watches_pkey
delete from watches where name = any(
    array(select name from watches where source = 'env' order by name limit 10000)
) and name <> all(%(names)s::text[])
