-- Serves: POST /api/repos/lookup and one repository; a present name goes before a former one.
-- Index: repositories_name, repository_names_pkey, repositories_pkey, catalog_purges_pkey
with present as (
    select distinct on (p.name_key) p.id, p.name_key as asked
    from repositories p
    where p.name_key = any(%(names)s::text[])
    order by p.name_key, p.seen_at desc
),
found as (
    select p.id, p.asked from present p
    union all
    select f.repository_id, f.name_key
    from repository_names f
    where f.name_key = any(%(names)s::text[])
        and not exists (select from present p where p.asked = f.name_key)
)
select
    r.id, r.owner || '/' || r.name as full_name, r.owner, r.name,
    nullif(r.description, '') as description, r.visibility <> 'public' as private, r.visibility,
    r.archived, r.fork, nullif(r.language, '') as language,
    coalesce(r.topics, '{}') as topics, r.stargazers_count,
    r.forks_count, r.open_issues_count, r.pushed_at, r.updated_at, r.created_at,
    r.default_branch, r.html_url, r.seen_at,
    found.asked,
    exists (
        select from catalog_purges p
        where
            p.tag = any(array['repo:' || r.name_key, 'owner:' || r.owner_key, 'all'])
            and p.purged_at >= r.seen_at
    ) as purged
from found
join repositories r on r.id = found.id
