-- Serves: the harvest and webhooks: a repository that GitHub no longer shows, by name or id.
-- Index: repositories_name, repositories_pkey, repositories_gone_pkey, repository_names_pkey
with found as (
    select r.id
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
    delete from repository_names n where n.name_key = %(full_name)s collate "C"
)
delete from repositories r using found f where r.id = f.id
