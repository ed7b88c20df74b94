-- Metric series and points.
select 1;
