-- Serves: a repository's own page: who purged its tag by hand, the last first.
-- Index: audit_at
select id, at, who, what, target, detail
from audit
where at >= %(since)s and what like 'cache purged%%'
    and %(tag)s = any (string_to_array(target, ' '))
order by at desc
limit %(rows)s
