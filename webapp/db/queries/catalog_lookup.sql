-- Serves: POST /api/repos/lookup and one repository; a present name goes before a former one.
-- Index: repositories_name, repository_names_pkey, repositories_pkey, catalog_purges_pkey
select
    r.id, r.owner || '/' || r.name as full_name, r.owner, r.name,
    nullif(r.description, '') as description, r.visibility <> 'public' as private, r.visibility,
    r.archived, r.fork, nullif(r.language, '') as language,
    coalesce(r.topics, '{}') as topics, r.stargazers_count,
    r.forks_count, r.open_issues_count, r.pushed_at, r.updated_at, r.created_at,
    r.default_branch, r.html_url, r.seen_at,
    asked.name as asked,
    exists (
        select from catalog_purges p
        where
            p.tag in ('repo:' || r.name_key, 'owner:' || r.owner_key, 'all')
            and p.purged_at >= r.seen_at
    ) as purged
from unnest(%(names)s::text[]) as asked (name)
cross join lateral (
    (
        select n.*
        from repositories n
        where n.name_key = asked.name collate "C"
        order by n.seen_at desc
        limit 1
    )
    union all
    (
        select f.*
        from repository_names old
        join repositories f on f.id = old.repository_id
        where old.name_key = asked.name collate "C"
    )
    limit 1
) r
