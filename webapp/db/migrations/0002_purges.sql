-- The purge journal: what Redis was not there to hear, and what it may forget by restarting.

create table purges (
    id         bigint generated always as identity primary key,
    tags       text[] not null,
    hard       boolean not null,
    cause      text not null,
    detail     text not null default '',
    created_at timestamptz not null default now(),
    applied_at timestamptz
);

-- Almost always empty: any process that reaches Redis looks here first.
create index purges_pending on purges (id) where applied_at is null;

-- Replayed for 24 hours when Redis restarts; also what fences late writes to the archive.
create index purges_hard on purges (created_at) where hard;

create index purges_created_at on purges (created_at);

comment on table purges is 'purges pending while Redis is away, and hard purges of the last 24 hours';
comment on column purges.tags is 'tags purged together';
comment on column purges.hard is 'dead on every shelf, archive included; else known to have changed';
comment on column purges.cause is 'webhook, mutation, feed, list, operator or restart';
comment on column purges.detail is 'delivery id, path or operator''s words; never a secret';
comment on column purges.applied_at is 'when Redis had it; null while pending';
