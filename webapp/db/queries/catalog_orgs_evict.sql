-- Serves: the harvest: of two ids that say one login, the earlier sight has lost it.
-- Index: organisations_pkey, organisations_login
delete from organisations o
using organisations n
where
    n.id = any(%(ids)s) and o.login_key = n.login_key and o.id <> n.id
    and (o.seen_at, o.id) < (n.seen_at, n.id)
