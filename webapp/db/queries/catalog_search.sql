-- Serves: GET /api/repos; filters and order are put in from the tables of catalog_search.py. Which
-- rows make the page is found first, where it can be from an index alone; then they are fetched.
-- Index: repositories_stars, repositories_pkey
select
    r.id, r.owner || '/' || r.name as full_name, r.owner, r.name,
    nullif(r.description, '') as description, r.visibility <> 'public' as private, r.visibility,
    r.archived, r.fork, nullif(r.language, '') as language,
    coalesce(r.topics, '{}') as topics, r.stargazers_count,
    r.forks_count, r.open_issues_count, r.pushed_at, r.updated_at, r.created_at,
    r.default_branch, r.html_url, r.seen_at
from (
    select r.id
    from repositories r
    where true
    order by r.stargazers_count desc, r.id desc
    limit %(limit)s
) page
join repositories r on r.id = page.id
order by r.stargazers_count desc, r.id desc
