-- What operators did.
select 1;
