-- Serves: the harvest: many repositories at once, each only by a newer sight; tells what changed.
-- Index: repositories_pkey, repositories_gone_pkey, repositories_gone_name, repository_names_pkey, repository_days_pkey
with offered as materialized (
    select o.*, lower(o.owner || '/' || o.name) as name_key
    from json_to_recordset(%(rows)s::json) as o (
        id bigint, owner_id bigint, owner text, name text, description text, visibility text,
        archived boolean, fork boolean, language text, topics text[], stargazers_count integer,
        forks_count integer, open_issues_count integer, pushed_at timestamptz,
        updated_at timestamptz, created_at timestamptz, default_branch text, html_url text,
        seen_at timestamptz
    )
),
newer as materialized (
    select o.*, h.id as held_id, h.owner as held_owner, h.name_key as held_name_key,
        (
            h.owner, h.name, h.description, h.visibility, h.archived, h.fork, h.language,
            h.topics, h.stargazers_count, h.forks_count, h.open_issues_count, h.pushed_at,
            h.updated_at, h.default_branch, h.html_url
        ) is distinct from (
            o.owner, o.name, coalesce(o.description, h.description), o.visibility, o.archived,
            o.fork, coalesce(o.language, h.language), coalesce(o.topics, h.topics),
            o.stargazers_count, o.forks_count, o.open_issues_count,
            coalesce(o.pushed_at, h.pushed_at), o.updated_at,
            coalesce(o.default_branch, h.default_branch), o.html_url
        ) as changed
    from offered o
    left join repositories h on h.id = o.id
    where
        (h.id is null or newer_sight(o.updated_at, o.seen_at, h.updated_at, h.seen_at))
        and not exists (
            select from repositories_gone g where g.id = o.id and g.gone_at >= o.seen_at
        )
        and not exists (
            select from repositories_gone g
            where g.name_key = o.name_key collate "C" and g.gone_at >= o.seen_at
        )
),
former as (
    insert into repository_names as held (name_key, repository_id, until)
    select n.held_name_key, n.id, n.seen_at
    from newer n
    where n.held_name_key <> n.name_key collate "C"
    order by n.held_name_key
    on conflict (name_key) do update
    set repository_id = excluded.repository_id, until = excluded.until
    where held.until < excluded.until
),
put as (
    insert into repositories as held (
        id, owner_id, owner, name, description, visibility, archived, fork, language, topics,
        stargazers_count, forks_count, open_issues_count, pushed_at, updated_at, created_at,
        default_branch, html_url, seen_at
    )
    select
        n.id, n.owner_id, n.owner, n.name, n.description, n.visibility, n.archived, n.fork,
        n.language, n.topics, n.stargazers_count, n.forks_count, n.open_issues_count, n.pushed_at,
        n.updated_at, n.created_at, n.default_branch, n.html_url, n.seen_at
    from newer n
    order by n.id
    on conflict (id) do update
    set
        owner_id = coalesce(excluded.owner_id, held.owner_id),
        owner = excluded.owner,
        name = excluded.name,
        description = coalesce(excluded.description, held.description),
        visibility = excluded.visibility,
        archived = excluded.archived,
        fork = excluded.fork,
        language = coalesce(excluded.language, held.language),
        topics = coalesce(excluded.topics, held.topics),
        stargazers_count = excluded.stargazers_count,
        forks_count = excluded.forks_count,
        open_issues_count = excluded.open_issues_count,
        pushed_at = coalesce(excluded.pushed_at, held.pushed_at),
        updated_at = excluded.updated_at,
        created_at = excluded.created_at,
        default_branch = coalesce(excluded.default_branch, held.default_branch),
        html_url = excluded.html_url,
        seen_at = excluded.seen_at
    -- Again: another process may have put a newer sight since the look above.
    where newer_sight(excluded.updated_at, excluded.seen_at, held.updated_at, held.seen_at)
    returning held.id, held.seen_at, held.stargazers_count, held.forks_count,
        held.open_issues_count
),
days as (
    insert into repository_days as held (repository_id, day, stars, forks, open_issues)
    select
        p.id, (p.seen_at at time zone 'UTC')::date, p.stargazers_count, p.forks_count,
        p.open_issues_count
    from put p
    order by p.id
    on conflict (repository_id, day) do update
    set stars = excluded.stars, forks = excluded.forks, open_issues = excluded.open_issues
    where (held.stars, held.forks, held.open_issues)
        is distinct from (excluded.stars, excluded.forks, excluded.open_issues)
)
select
    n.id, n.owner, n.name, n.held_owner, n.held_name_key,
    n.held_id is null as is_new, n.name_key collate "C" is distinct from n.held_name_key as is_renamed
from newer n
join put p on p.id = n.id
where n.held_id is null or n.changed
