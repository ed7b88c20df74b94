-- Alerts and silences.
select 1;
