-- Serves: the harvest: an owner that GitHub no longer shows.
-- Index: organisations_login
delete from organisations where login_key = %(login)s collate "C" and seen_at <= %(at)s
