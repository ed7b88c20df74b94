-- What operators did: one row an act, kept for 400 days.

create table audit (
    id     bigint generated always as identity primary key,
    at     timestamptz not null default now(),
    who    text not null,
    what   text not null,
    target text not null,
    detail text not null default ''
);

create index audit_at on audit (at);

comment on table audit is 'what operators did, whether by the dashboard, the API or a command';
comment on column audit.who is 'admin, or loopback where no password is asked for';
comment on column audit.what is 'the act, in the past tense: cache purged, job retried';
comment on column audit.target is 'what it was done to: tags, a job, a watch';
comment on column audit.detail is 'anything more; never a secret';
