-- The catalog: organisations, repositories, a row a day of their figures; statement statistics.
--
-- Only what the service's or the public's eyes saw enters. Rows go by GitHub's id, which outlives
-- renames and transfers; lower-case keys, in C's order, serve look-ups by name and pages by name.

do $$
begin
    create extension if not exists pg_trgm;
exception
    when insufficient_privilege or feature_not_supported or undefined_file then
        raise notice 'pg_trgm is not available: search in the catalog is slow without it';
end
$$;

create table organisations (
    id           bigint primary key,
    login        text not null,
    login_key    text collate "C" not null generated always as (lower(login)) stored,
    type         text,
    name         text,
    description  text,
    html_url     text,
    avatar_url   text,
    public_repos integer,
    created_at   timestamptz,
    updated_at   timestamptz,
    seen_at      timestamptz not null,
    constraint organisations_login_is_a_segment check (login <> '' and position('/' in login) = 0)
)
-- Seen again and again, mostly unchanged: with room on its page such an update touches no index.
with (fillfactor = 80);

create index organisations_login on organisations (login_key, id);

create table repositories (
    id                bigint primary key,
    owner_id          bigint,
    owner             text not null,
    name              text not null,
    description       text,
    visibility        text not null,
    archived          boolean not null,
    fork              boolean not null,
    language          text,
    topics            text[],
    stargazers_count  integer not null,
    forks_count       integer not null,
    open_issues_count integer not null,
    pushed_at         timestamptz,
    updated_at        timestamptz not null,
    created_at        timestamptz not null,
    default_branch    text,
    html_url          text not null,
    seen_at           timestamptz not null,
    owner_key         text collate "C" not null generated always as (lower(owner)) stored,
    name_key          text collate "C" not null generated always as (lower(owner || '/' || name)) stored,
    language_key      text collate "C" generated always as (lower(language)) stored,
    pushed_key        timestamptz not null generated always as (
        coalesce(pushed_at, timestamptz '1970-01-01 00:00:00+00')
    ) stored,
    search            text not null generated always as (
        left(
            lower(
                ' ' || owner || '/' || name || ' ' || translate(name, '-_.', '   ')
                || ' ' || coalesce(description, '')
            ),
            300
        )
    ) stored,
    constraint repositories_visibility_is_known
        check (visibility in ('public', 'private', 'internal')),
    constraint repositories_owner_is_a_segment check (owner <> '' and position('/' in owner) = 0),
    constraint repositories_name_is_a_segment check (name <> '' and position('/' in name) = 0)
)
with (fillfactor = 85);

-- Pages of the whole catalog, read in both directions. They cover what filters look at: a page of
-- rows that few match is found by reading the index alone, many rows a page of it, and only what
-- matches is fetched. The name's also serves look-ups (not unique: while a rename is under way two
-- ids say one name, and the later sight of it wins: catalog_evict) and an owner's pages by name.
create index repositories_name on repositories (name_key, id)
    include (search, topics, language_key, visibility, archived, fork);
create index repositories_stars on repositories (stargazers_count, id)
    include (search, topics, language_key, owner_key, visibility, archived, fork);
create index repositories_pushed on repositories (pushed_key, id)
    include (search, topics, language_key, owner_key, visibility, archived, fork);
create index repositories_updated on repositories (updated_at, id)
    include (search, topics, language_key, owner_key, visibility, archived, fork);

-- An owner's or a language's pages: their rows may all lie at the far end of the catalog's.
create index repositories_owner_stars on repositories (owner_key, stargazers_count, id);
create index repositories_owner_pushed on repositories (owner_key, pushed_key, id);
create index repositories_owner_updated on repositories (owner_key, updated_at, id);
create index repositories_language_stars on repositories (language_key, stargazers_count, id);
create index repositories_language_pushed on repositories (language_key, pushed_key, id);
create index repositories_language_updated on repositories (language_key, updated_at, id);
create index repositories_language_name on repositories (language_key, name_key, id);
create index repositories_topics on repositories using gin (topics);

-- What is archived was pushed long ago, forks have few stars, and little is not public: all far
-- from where pages begin.
create index repositories_archived_stars on repositories (stargazers_count, id) where archived;
create index repositories_archived_pushed on repositories (pushed_key, id) where archived;
create index repositories_archived_updated on repositories (updated_at, id) where archived;
create index repositories_fork_stars on repositories (stargazers_count, id) where fork;
create index repositories_hidden_stars
    on repositories (visibility, stargazers_count, id) where visibility <> 'public';

-- How frequent a word is decides between its index and reading on; a hundred values can't tell.
alter table repositories alter column search set statistics 1000;

do $$
begin
    create index repositories_search on repositories using gin (search gin_trgm_ops);
exception
    when undefined_object then
        raise notice 'repositories.search has no index: pg_trgm is not available';
end
$$;

-- Which of two sights of one id is newer. GitHub's replicas lag by seconds, so of two sights close
-- together the later updated_at is newer; it doesn't move with stars or issues, so the later sight
-- is, where it is the same; and in the long run always, lest one odd updated_at bind for ever.
create function newer_sight(
    updated_at timestamptz, seen_at timestamptz,
    held_updated_at timestamptz, held_seen_at timestamptz
) returns boolean language sql immutable parallel safe
return case
    when seen_at > held_seen_at + interval '10 minutes' then true
    when seen_at < held_seen_at - interval '10 minutes' then false
    else (updated_at, seen_at) > (held_updated_at, held_seen_at)
end;

create table repository_names (
    name_key      text collate "C" primary key,
    repository_id bigint not null,
    until         timestamptz not null
);

create table repositories_gone (
    id       bigint not null,
    name_key text collate "C" not null,
    gone_at  timestamptz not null,
    primary key (id, name_key)
);

create index repositories_gone_name on repositories_gone (name_key);
create index repositories_gone_at on repositories_gone (gone_at);

create table repository_days (
    repository_id bigint not null,
    day           date not null,
    stars         integer not null,
    forks         integer not null,
    open_issues   integer not null,
    -- Covering: a year of one repository is read from the index alone.
    constraint repository_days_pkey
        primary key (repository_id, day) include (stars, forks, open_issues)
);

-- Rows come by day, so a range of days is a range of pages: a few kB instead of a whole index.
create index repository_days_day on repository_days using brin (day) with (pages_per_range = 32);

create table catalog_purges (
    tag       text collate "C" primary key,
    purged_at timestamptz not null
);

create index catalog_purges_purged_at on catalog_purges (purged_at);

create table statement_totals (
    queryid       bigint primary key,
    query         text not null,
    calls         bigint not null,
    total_ms      double precision not null,
    rows_returned bigint not null,
    blocks_hit    bigint not null,
    blocks_read   bigint not null,
    taken_at      timestamptz not null
);

create table statement_minutes (
    queryid       bigint not null,
    minute        timestamptz not null,
    calls         bigint not null,
    total_ms      double precision not null,
    rows_returned bigint not null,
    blocks_hit    bigint not null,
    blocks_read   bigint not null,
    primary key (queryid, minute)
);

create index statement_minutes_minute on statement_minutes using brin (minute) with (pages_per_range = 8);

comment on table organisations is 'organisations and users: owners of repositories, by GitHub''s id';
comment on column organisations.login is 'as GitHub writes it';
comment on column organisations.login_key is 'lower-case login';
comment on column organisations.type is 'Organization, User or Bot, as GitHub says; null: not seen yet';
comment on column organisations.public_repos is 'as GitHub counts; null: its detail was not seen yet';
comment on column organisations.seen_at is 'when the latest answer that shows it was asked for';

comment on table repositories is 'every repository that a service or public answer showed';
comment on column repositories.id is 'GitHub''s id: stays through renames and transfers';
comment on column repositories.owner_id is
    'organisations.id; no foreign key, as the two come in different answers';
comment on column repositories.topics is 'null: not said yet';
comment on column repositories.description is 'empty: GitHub says it has none; null: not said yet';
comment on column repositories.language is 'empty: GitHub says it has none; null: not said yet';
comment on column repositories.visibility is 'public, private or internal (GitHub''s private: all but public)';
comment on column repositories.pushed_at is 'null: never, or not said yet';
comment on column repositories.default_branch is 'null: not said yet (GraphQL has none for an empty repository)';
comment on column repositories.seen_at is
    'when the latest answer that shows it was asked for; never indexed, so that seeing it again is cheap';
comment on column repositories.name_key is 'lower-case owner/name';
comment on column repositories.language_key is 'lower-case language';
comment on column repositories.pushed_key is 'pushed_at, 1970 for never';
comment on column repositories.search is
    'what q looks in: a blank, owner/name, the name''s words, the description, lower-case; cut, so that even of four-byte letters a row of an index (2,704 bytes) holds it';

comment on table repository_names is 'former names, as long as nobody else took them';
comment on column repository_names.until is 'when another name was first seen';

comment on table repositories_gone is
    'deleted, hidden or renamed away: answers asked for before don''t bring it back. Kept a day';
comment on column repositories_gone.id is '0 where only the name is known';
comment on column repositories_gone.name_key is 'lower-case owner/name; empty where only the id is gone';

comment on table repository_days is
    'a repository''s figures as last seen on a day (UTC); they outlive its row, for when it comes back';
comment on table catalog_purges is
    'tags purged of late: a row seen before its tag''s purge is known to have changed';

comment on table statement_totals is
    'pg_stat_statements as of the last snapshot, to take the next one''s difference from';
comment on table statement_minutes is 'what each statement did in a minute; kept 7 days';
comment on column statement_minutes.queryid is 'pg_stat_statements'' id of the normalised statement';
comment on column statement_minutes.minute is 'the minute''s beginning';
comment on column statement_minutes.total_ms is 'execution time, planning not included';
comment on column statement_minutes.blocks_read is 'shared blocks not found in PostgreSQL''s own cache';
