-- Serves: names that the setting WATCH doesn't have any more.
-- Index: watches_env
delete from watches where source = 'env' and name <> all(%(names)s::text[])
