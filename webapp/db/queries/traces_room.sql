-- Serves: the tables of the six hours that a batch of traces begins in; once a process and six hours.
-- Index: none
select traces_make_room(%(moment)s)
