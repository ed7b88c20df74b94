-- Serves: noting a purge before it is done, which fences late writes to the archive from now on.
-- Index: none
insert into purges (tags, hard, cause, detail)
values (%(tags)s::text[], %(hard)s, %(cause)s, %(detail)s)
returning id
