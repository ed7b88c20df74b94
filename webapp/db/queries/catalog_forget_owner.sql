-- Serves: webhooks: everything of an owner whom the service sees no more.
-- Index: repositories_owner_updated, repositories_pkey, repositories_gone_pkey
with found as (
    select r.id from repositories r where r.owner_key = %(owner)s collate "C" and r.seen_at <= %(at)s
),
gone as (
    insert into repositories_gone as held (id, name_key, gone_at)
    select f.id, '', %(at)s::timestamptz from found f order by f.id
    on conflict (id, name_key) do update set gone_at = greatest(held.gone_at, excluded.gone_at)
)
delete from repositories r using found f where r.id = f.id
