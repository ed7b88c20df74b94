-- Watches and warming runs.
select 1;
