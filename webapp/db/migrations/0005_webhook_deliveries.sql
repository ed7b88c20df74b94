-- The journal of webhook deliveries.
select 1;
