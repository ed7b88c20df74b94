-- Alerts as they stand, what became of them, silences, and messages that are not delivered yet.

create table alerts (
    rule        text not null,
    severity    text not null,
    subject     text not null,
    state       text not null,
    since       timestamptz not null,
    value       double precision,
    fired_at    timestamptz,
    resolved_at timestamptz,
    told_at     timestamptz,
    runs        integer not null,
    primary key (rule, severity, subject)
);

create table alert_changes (
    id       bigint generated always as identity primary key,
    at       timestamptz not null,
    rule     text not null,
    severity text not null,
    subject  text not null,
    was      text not null,
    became   text not null,
    value    double precision
);

create index alert_changes_at on alert_changes (at);

create table alert_groups (
    name          text primary key,
    waiting_since timestamptz,
    sent_at       timestamptz
);

create table alert_clocks (
    name         text primary key,
    evaluated_at timestamptz not null,
    wake_at      timestamptz
);

insert into alert_clocks values ('evaluation', now(), null);

create table silences (
    id         bigint generated always as identity primary key,
    rule       text,
    subject    text,
    reason     text not null,
    created_by text not null,
    created_at timestamptz not null,
    ends_at    timestamptz not null
);

create index silences_ends_at on silences (ends_at);

create table alert_outbox (
    id          bigint generated always as identity primary key,
    receiver    text not null,
    body        jsonb not null,
    created_at  timestamptz not null,
    attempts    integer not null default 0,
    next_try_at timestamptz not null,
    done_at     timestamptz,
    result      text,
    error       text
);

-- One receiver's messages are delivered in order: only the first of these is ever looked for.
create index alert_outbox_pending on alert_outbox (receiver, id) where done_at is null;

create index alert_outbox_waiting on alert_outbox (created_at) where done_at is null;

create index alert_outbox_done_at on alert_outbox (done_at) where done_at is not null;

comment on table alerts is 'alerts that are not simply ok; telemetry/alerts.py says what each field means';
comment on column alerts.rule is 'a name of telemetry/alert_rules.py';
comment on column alerts.subject is 'credential, queue, statement, owner; empty where there is but one';
comment on column alerts.told_at is 'when receivers were last told that it fires; null: they believe it does not';
comment on column alerts.runs is 'a bit a run, the latest lowest: beyond the threshold';
comment on table alert_changes is 'each change of an alert''s state, for 90 days';
comment on table alert_groups is 'what receivers know of alerts that are told together';
comment on column alert_groups.waiting_since is 'since when something new waits to be told';
comment on column alert_groups.sent_at is 'when they were last told; null: all of it was over';
comment on table alert_clocks is 'when rules were last evaluated, by whichever process';
comment on column alert_clocks.wake_at is 'when to look again before the next evaluation';
comment on table silences is 'whom not to tell of what; null matches anything';
comment on table alert_outbox is 'messages to receivers, delivered in order by whichever process, kept 7 days';
comment on column alert_outbox.body is 'in Alertmanager''s shape; never a secret';
comment on column alert_outbox.next_try_at is 'also how long the process that delivers it now may take';
comment on column alert_outbox.result is 'sent, refused (never tried again) or given up (too old)';
