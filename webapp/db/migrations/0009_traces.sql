-- Traces.
select 1;
