-- Serves: forgetting traces, by their age and by the room they take, once an hour.
-- Index: none
select traces_drop(%(before)s, %(bytes_most)s) as dropped
