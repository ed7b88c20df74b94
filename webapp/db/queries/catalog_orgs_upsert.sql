-- Serves: the harvest: many owners at once, each only by a later sight; tells what changed.
-- Index: organisations_pkey
with offered as materialized (
    select o.*
    from json_to_recordset(%(rows)s::json) as o (
        id bigint, login text, type text, name text, description text, html_url text,
        avatar_url text, public_repos integer, created_at timestamptz, updated_at timestamptz,
        seen_at timestamptz
    )
),
newer as materialized (
    select o.*, h.login as held_login,
        (
            h.login, h.type, h.name, h.description, h.html_url, h.avatar_url, h.public_repos
        ) is distinct from (
            o.login, coalesce(o.type, h.type), coalesce(o.name, h.name),
            coalesce(o.description, h.description), coalesce(o.html_url, h.html_url),
            coalesce(o.avatar_url, h.avatar_url), coalesce(o.public_repos, h.public_repos)
        ) as changed
    from offered o
    left join organisations h on h.id = o.id
    where h.id is null or o.seen_at > h.seen_at
),
put as (
    insert into organisations as held (
        id, login, type, name, description, html_url, avatar_url, public_repos, created_at,
        updated_at, seen_at
    )
    select
        n.id, n.login, n.type, n.name, n.description, n.html_url, n.avatar_url, n.public_repos,
        n.created_at, n.updated_at, n.seen_at
    from newer n
    order by n.id
    on conflict (id) do update
    set
        login = excluded.login,
        type = coalesce(excluded.type, held.type),
        name = coalesce(excluded.name, held.name),
        description = coalesce(excluded.description, held.description),
        html_url = coalesce(excluded.html_url, held.html_url),
        avatar_url = coalesce(excluded.avatar_url, held.avatar_url),
        public_repos = coalesce(excluded.public_repos, held.public_repos),
        created_at = coalesce(excluded.created_at, held.created_at),
        updated_at = coalesce(excluded.updated_at, held.updated_at),
        seen_at = excluded.seen_at
    where excluded.seen_at > held.seen_at
    returning held.id
)
select n.id, n.login, n.held_login
from newer n
join put p on p.id = n.id
where n.changed
