-- What a search looks for beside an order, in one index: words' trigrams, topics and the language.
--
-- Asked for together they are intersected inside the index, by the rarest of them. Two indexes, and
-- a bitmap of all rows of a language, cost three to six times as much. The language is an array of
-- one, which needs no further extension. Writers of repositories wait while it is made (half a
-- minute for a million rows), readers don't. The old indexes go in 0013: a writer that waits here
-- reads the table already, and whoever wanted it alone now would wait for that writer.

do $$
begin
    create index repositories_terms on repositories
        using gin (search gin_trgm_ops, topics, (array[language_key]));
exception
    when undefined_object then
        raise notice 'repositories.search has no index: pg_trgm is not available';
        create index repositories_terms on repositories
            using gin (topics, (array[language_key]));
end
$$;
