-- Serves: the harvest: of two ids that say one name, the earlier sight has lost it.
-- Index: repositories_pkey, repositories_name, repositories_gone_pkey
with lost as (
    select
        case when (a.seen_at, a.id) < (b.seen_at, b.id) then a.id else b.id end as id,
        least(a.seen_at, b.seen_at) as seen_at
    from repositories a
    join repositories b on b.name_key = a.name_key and b.id <> a.id
    where a.id = any(%(ids)s)
),
gone as (
    insert into repositories_gone as held (id, name_key, gone_at)
    select l.id, '', max(l.seen_at) from lost l group by l.id order by l.id
    on conflict (id, name_key) do update set gone_at = greatest(held.gone_at, excluded.gone_at)
)
delete from repositories r using (select distinct l.id from lost l) l where r.id = l.id
