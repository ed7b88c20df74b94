-- Serves: GET /api/repos with a q: a page's ids. Some rows are read on in the order's index alone;
-- a frequent word fills the page there. How many of them matched tells whether reading further or
-- the index of trigrams is the shorter way. Each way finds the page by itself, and is taken only
-- where those before it found too little. See catalog_words.py for what is put in.
-- Index: repositories_stars, repositories_terms
with near as materialized (
    select r.id
    from (
        select
            r.id, r.stargazers_count, r.search, r.topics, r.language_key, r.visibility,
            r.archived, r.fork
        from repositories r
        where true
        order by r.stargazers_count desc, r.id desc
        limit %(near)s
    ) r
    where position(lower(%(word0)s) in r.search) > 0
    order by r.stargazers_count desc, r.id desc
    limit %(limit)s
),
met as materialized (select count(*) as n from near),
further as materialized (
    select r.id
    from (
        select
            r.id, r.stargazers_count, r.search, r.topics, r.language_key, r.visibility,
            r.archived, r.fork
        from repositories r
        where true
        order by r.stargazers_count desc, r.id desc
        -- Half as many again as fill the page, if those to come match as often as those before.
        limit (select 3 * %(near)s::bigint * %(limit)s / greatest(2 * n, 1) from met)
    ) r
    where
        -- Reading costs by how few match, the trigrams by how many. They cost the same at half of
        -- this; few met may be by luck, and reading in vain costs most.
        (select n < %(limit)s and 2000 * n * n >= %(near)s::bigint * %(limit)s from met)
        and position(lower(%(word0)s) in r.search) > 0
    order by r.stargazers_count desc, r.id desc
    limit %(limit)s
),
rest as (
    select r.id
    from (
        select r.id, r.stargazers_count
        from repositories r
        -- From a subquery the planner can't take the pattern: no guess at how frequent it is leads
        -- it to read the order instead, which was tried by now.
        where r.search like (select lower(%(part0)s)) and true
        offset 0
    ) r
    where (select greatest(n, (select count(*) from further)) < %(limit)s from met)
    order by r.stargazers_count desc, r.id desc
    limit %(limit)s
)
select id from near where (select n = %(limit)s from met)
union all
select id from further where (select count(*) = %(limit)s from further)
union all
select id from rest
