-- The journal of webhook deliveries: what each one purged, and when GitHub is looked at again.

create table webhook_deliveries (
    id           bigint generated always as identity primary key,
    delivery     text not null constraint webhook_deliveries_delivery unique,
    event        text not null,
    action       text not null default '',
    owner        text not null default '',
    repo         text not null default '',
    hard_tags    text[] not null,
    soft_tags    text[] not null,
    list_tags    text[] not null,
    received_at  timestamptz not null,
    lag          double precision,
    duplicates   integer not null default 0,
    purged_at    timestamptz,
    looks_done   smallint not null default 0,
    next_look_at timestamptz
);

create index webhook_deliveries_received_at on webhook_deliveries (received_at);

create index webhook_deliveries_repo on webhook_deliveries (owner, repo, received_at)
    where repo <> '';

-- Almost always few: what came in the last half minute, and what a sweep must pick up.
create index webhook_deliveries_next_look on webhook_deliveries (next_look_at)
    where next_look_at is not null;

comment on table webhook_deliveries is 'verified deliveries of the last 30 days; never their bodies';
comment on column webhook_deliveries.delivery is 'X-GitHub-Delivery; the same when GitHub sends it again';
comment on column webhook_deliveries.hard_tags is 'tags purged hard at once';
comment on column webhook_deliveries.soft_tags is 'tags purged softly at once';
comment on column webhook_deliveries.list_tags is 'tags purged softly, at most once a minute (list_purges)';
comment on column webhook_deliveries.lag is 'seconds from the change to its arrival, where the payload tells';
comment on column webhook_deliveries.duplicates is 'how often it came again';
comment on column webhook_deliveries.purged_at is 'null until purged; then a sweep does it';
comment on column webhook_deliveries.next_look_at is 'when its tags are purged again; null when they have been';

-- Lists that counters make untrue: one row a tag, so that a busy owner's are purged once a minute.
create table list_purges (
    tag        text primary key,
    purged_at  timestamptz not null,
    changed_at timestamptz not null,
    due_at     timestamptz,
    cause      text not null,
    detail     text not null
);

create index list_purges_due on list_purges (due_at) where due_at is not null;

-- A payload may name any list: what is long over is forgotten.
create index list_purges_purged_at on list_purges (purged_at) where due_at is null;

comment on column list_purges.purged_at is 'when the tag was last purged under the pause';
comment on column list_purges.changed_at is 'when a counter last changed';
comment on column list_purges.due_at is 'when the owed purge is to be done; null while none is owed';
comment on column list_purges.cause is 'webhook or feed, of the last change';
