-- Traces: a row a transaction (a request, a job, a call to GitHub by itself), its spans beside it.
--
-- Both tables are cut into six hours each, which are dropped, never deleted from. A transaction is
-- noted in `traces`, narrow and searched; what a waterfall draws is in `trace_details`, read by id.

create table traces (
    began          timestamptz not null,
    trace_id       uuid not null,
    transaction_id text not null,
    parent_id      text,
    kind           text not null check (kind in ('request', 'job', 'background')),
    name           text not null,
    resource       text not null,
    outcome        text not null,
    result         text not null,
    ms             double precision not null,
    failed         boolean not null,
    kept           text not null check (kept in ('failed', 'slow', 'sampled'))
) partition by range (began);

comment on table traces is 'transactions of the last 7 days: failed and slow ones, and a sample';
comment on column traces.parent_id is 'the span or transaction that caused it; in any process';
comment on column traces.outcome is 'X-Cache''s for the mirror, what became of a job';

create index traces_trace_id on traces (trace_id);
create index traces_began on traces (began);
create index traces_name on traces (name, began);
create index traces_failed on traces (began) where failed;

create table trace_details (
    began          timestamptz not null,
    trace_id       uuid not null,
    transaction_id text not null,
    detail         jsonb not null
) partition by range (began);

comment on column trace_details.detail is
    'url, labels, errors, spans as [id, parent, ms from the start, ms, name, type, failed, count, labels]';

create index trace_details_trace_id on trace_details (trace_id);

-- The six hours that a moment lies in get their tables; at once and twice without harm.
create function traces_make_room(moment timestamptz) returns void
language plpgsql set timezone to 'UTC' as $$
declare
    starts constant timestamptz := date_bin('6 hours', moment, timestamptz '2000-01-01');
    suffix constant text := to_char(starts, '_YYYYMMDD_HH24');
    parent text;
begin
    if to_regclass('trace_details' || suffix) is not null then
        return;
    end if;
    perform set_config('lock_timeout', '1s', true);
    perform pg_advisory_xact_lock(7409112);
    foreach parent in array array['traces', 'trace_details'] loop
        execute format(
            'create table if not exists %I partition of %I for values from (%L) to (%L)',
            parent || suffix, parent, starts, starts + interval '6 hours'
        );
    end loop;
end
$$;

-- Drops what ends before a moment, then the oldest while all is larger than so many bytes; never
-- the youngest. Returns how many six hours went.
create function traces_drop(before timestamptz, bytes_most bigint) returns integer
language plpgsql set timezone to 'UTC' as $$
declare
    suffix text;
    held bigint;
    dropped integer := 0;
begin
    perform set_config('lock_timeout', '1s', true);
    perform pg_advisory_xact_lock(7409112);
    for suffix in
        select name
        from (
            select substr(relname, length('traces') + 1) as name
            from pg_inherits join pg_class on pg_class.oid = inhrelid
            where inhparent = 'traces'::regclass
            order by relname desc
            offset 1
        ) as all_but_the_youngest
        order by name
    loop
        select sum(pg_total_relation_size(inhrelid)) into held
        from pg_inherits
        where inhparent in ('traces'::regclass, 'trace_details'::regclass);
        exit when held <= bytes_most
            and to_timestamp(suffix, '_YYYYMMDD_HH24') + interval '6 hours' > before;
        execute format('drop table %I, %I', 'traces' || suffix, 'trace_details' || suffix);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;
