-- Serves: a marker on the charts: another version than the last runs from now on.
-- Index: metric_releases_pkey
insert into metric_releases (started_at, version, revision)
select %(now)s, %(version)s, %(revision)s
where not exists (
    select
    from (
        select version, revision
        from metric_releases
        order by started_at desc
        limit 1
    ) as latest
    where latest.version = %(version)s and latest.revision = %(revision)s
)
on conflict (started_at) do nothing
