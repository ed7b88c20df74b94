-- Serves: upkeep: no answer is under way that was asked for so long ago.
-- Index: repositories_gone_at
delete from repositories_gone where gone_at < %(before)s
