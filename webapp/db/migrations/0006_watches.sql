-- What is kept warm, and the runs that warm it.

create table watches (
    name     text primary key,
    kind     text not null check (kind in ('owner', 'org', 'user', 'repo')),
    source   text not null check (source in ('env', 'cli', 'api', 'dashboard')),
    added_at timestamptz not null default now()
);

-- The setting's, brought up to date once a minute.
create index watches_env on watches (name) where source = 'env';

comment on table watches is 'organisations, users and repositories kept warm; a few thousand at most';
comment on column watches.name is 'owner or owner/repo, lower-case';
comment on column watches.kind is 'owner until GitHub said whether it is an org or a user';
comment on column watches.source is 'env rows follow the setting WATCH';

create table warming_runs (
    id           bigint generated always as identity primary key,
    names        text[] not null,
    source       text not null check (source in ('schedule', 'cli', 'api', 'dashboard')),
    state        text not null default 'queued'
                 check (state in ('queued', 'running', 'paused', 'cancelled', 'done', 'failed')),
    plan         text[],
    place        integer not null default 0,
    page         text,
    done         integer not null default 0,
    total        integer not null default 0,
    points       integer not null default 0,
    saved        integer not null default 0,
    failures     integer not null default 0,
    last_error   text,
    lease        text,
    leased_until timestamptz,
    put_off_to   timestamptz,
    created_at   timestamptz not null default now(),
    started_at   timestamptz,
    ended_at     timestamptz
);

-- What a worker may take up: almost always empty.
create index warming_runs_waiting on warming_runs (id) where state in ('queued', 'running');

-- The schedule has one run at a time, however many planners; while it is paused, none.
create unique index warming_runs_scheduled on warming_runs (source)
    where source = 'schedule' and state in ('queued', 'running', 'paused');

create index warming_runs_ended_at on warming_runs (ended_at) where ended_at is not null;

comment on table warming_runs is 'warming, with its progress; what ended is kept for 7 days';
comment on column warming_runs.names is 'watches to warm; empty: all of them';
comment on column warming_runs.plan is 'answers to warm, as asked texts; null until it is planned';
comment on column warming_runs.place is 'which of the plan is next';
comment on column warming_runs.page is 'query of the next page of the list at that place; null: its first';
comment on column warming_runs.total is 'known so far: a list''s pages are known once its first is';
comment on column warming_runs.saved is 'points that 304s didn''t cost';
comment on column warming_runs.put_off_to is 'no budget, or no GitHub: not taken up before';
comment on column warming_runs.lease is 'token of the worker that runs it now';
