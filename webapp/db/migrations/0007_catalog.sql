-- Organisations, repositories, their days.
select 1;
