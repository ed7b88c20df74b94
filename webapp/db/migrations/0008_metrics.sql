-- Metrics: one row a series and minute for 7 days, and hour for 400. Old partitions are dropped.
-- Five minutes, for 7 days too, are what a day's chart is drawn from: as many rows as it can show.

create table metric_series (
    id     integer generated always as identity primary key,
    name   text not null,
    labels text[] not null,
    constraint metric_series_name_labels_key unique (name, labels)
);

create table metric_minutes (
    ts        timestamptz not null,
    sum       double precision not null,
    count     bigint not null,
    least     bigint,
    most      bigint,
    series_id integer not null,
    buckets   bytea,
    primary key (series_id, ts)
) partition by range (ts);

create table metric_fives (
    ts        timestamptz not null,
    sum       double precision not null,
    count     bigint not null,
    least     bigint,
    most      bigint,
    series_id integer not null,
    buckets   bytea,
    primary key (series_id, ts)
) partition by range (ts);

create table metric_hours (
    ts        timestamptz not null,
    sum       double precision not null,
    count     bigint not null,
    least     bigint,
    most      bigint,
    series_id integer not null,
    buckets   bytea,
    primary key (series_id, ts)
) partition by range (ts);

create table metric_releases (
    started_at timestamptz primary key,
    version    text not null,
    revision   text not null
);

-- Partitions of a table, `unit` wide, from the one of `since` to the one of `until`; older ones than
-- `oldest` are dropped. How many were.
create function metric_partitions(
    parent text, unit text, since timestamptz, until timestamptz, oldest timestamptz
) returns integer language plpgsql set timezone to 'UTC' as $$
declare
    shape constant text := case unit when 'day' then 'YYYYMMDD' else 'YYYYMM' end;
    width constant interval := ('1 ' || unit)::interval;
    start timestamptz := date_trunc(unit, since);
    partition text;
    dropped integer := 0;
begin
    while start <= until loop
        partition := parent || '_' || to_char(start, shape);
        if to_regclass(partition) is null then
            execute format(
                'create table %I partition of %I for values from (%L) to (%L)',
                partition, parent, start, start + width
            );
        end if;
        start := start + width;
    end loop;
    for partition in
        select child.relname
        from pg_inherits
        join pg_class child on child.oid = inhrelid
        where inhparent = parent::regclass
          and to_timestamp(right(child.relname, length(shape)), shape) + width <= oldest
    loop
        execute format('drop table %I', partition);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;

comment on table metric_series is 'a metric and a value for each of its labels';
comment on column metric_series.name is 'as in telemetry/measures.py';
comment on column metric_series.labels is 'values, in the order of the measure''s labels';
comment on table metric_minutes is 'what was measured in a minute; partitions of a day, for 7 days';
comment on column metric_minutes.ts is 'when it begins';
comment on column metric_minutes.sum is 'of durations in µs, of readings as they are; 0 for counters';
comment on column metric_minutes.count is 'the increase, the durations, or the readings';
comment on column metric_minutes.least is 'of durations, in µs';
comment on column metric_minutes.most is 'of durations, in µs';
comment on column metric_minutes.buckets is 'a histogram, as telemetry/histogram.py writes it';
comment on table metric_fives is 'the same by five minutes';
comment on column metric_fives.ts is 'when they begin';
comment on column metric_fives.sum is 'as in metric_minutes';
comment on column metric_fives.count is 'as in metric_minutes';
comment on column metric_fives.least is 'as in metric_minutes';
comment on column metric_fives.most is 'as in metric_minutes';
comment on column metric_fives.buckets is 'as in metric_minutes';
comment on table metric_hours is 'the same by the hour; partitions of a month, for 400 days';
comment on column metric_hours.ts is 'when it begins';
comment on column metric_hours.sum is 'as in metric_minutes';
comment on column metric_hours.count is 'as in metric_minutes';
comment on column metric_hours.least is 'as in metric_minutes';
comment on column metric_hours.most is 'as in metric_minutes';
comment on column metric_hours.buckets is 'as in metric_minutes';
comment on table metric_releases is 'when another version or revision began to run';
comment on column metric_releases.revision is 'of git; empty where it isn''t known'
