-- Serves: the harvest and hard purges: a repository that GitHub no longer shows, by name or id. Its
-- name stays a former one, in case it comes back with another.
-- Index: repositories_name, repositories_pkey, repositories_gone_pkey, repository_names_pkey
with found as (
    select r.id, r.name_key
    from repositories r
    where r.seen_at <= %(at)s and (r.name_key = %(full_name)s collate "C" or r.id = %(id)s)
),
gone as (
    insert into repositories_gone as held (id, name_key, gone_at)
    select f.id, '', %(at)s::timestamptz from found f
    union select %(id)s, %(full_name)s, %(at)s
    on conflict (id, name_key) do update set gone_at = greatest(held.gone_at, excluded.gone_at)
),
former as (
    insert into repository_names (name_key, repository_id, until)
    select distinct on (f.name_key) f.name_key, f.id, %(at)s::timestamptz
    from found f
    order by f.name_key, f.id
    on conflict (name_key) do update
    set repository_id = excluded.repository_id, until = excluded.until
),
nowhere as (
    delete from repository_names n
    where
        n.name_key = %(full_name)s collate "C" and n.until <= %(at)s
        and not exists (select from found)
)
delete from repositories r using found f where r.id = f.id
