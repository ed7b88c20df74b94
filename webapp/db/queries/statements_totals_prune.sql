-- Serves: upkeep: statements that nobody has run for so long. A small table.
-- Index: none
delete from statement_totals where taken_at < %(before)s
