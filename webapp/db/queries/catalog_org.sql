-- Serves: GET /api/orgs/{org}; its repositories are counted from the index alone.
-- Index: organisations_login, repositories_owner_updated
select
    o.id, o.login, o.type, o.name, nullif(o.description, '') as description, o.html_url,
    o.avatar_url, o.public_repos, o.created_at, o.updated_at, o.seen_at,
    (select count(*) from repositories r where r.owner_key = o.login_key) as repositories
from organisations o
where o.login_key = %(login)s
order by o.seen_at desc
limit 1
