-- Serves: what operators did, the last first, and further back by the id of the last that was read.
-- Index: audit_pkey
select id, at, who, what, target, detail
from audit
where id < %(before)s
order by id desc
limit %(rows)s
