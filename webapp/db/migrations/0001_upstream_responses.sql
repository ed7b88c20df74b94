-- The archive: GitHub's last raw answers and their validators.

create table upstream_responses (
    key           text primary key,
    path          text not null,
    tags          text[] not null,
    status        smallint not null,
    accept        text not null,
    api_version   text not null,
    etag          text,
    last_modified text,
    link          text,
    content_type  text,
    request_id    text,
    headers       jsonb not null,
    body          bytea not null,
    fetched_at    timestamptz not null,
    confirmed_at  timestamptz not null,
    used_at       timestamptz not null,
    constraint upstream_responses_confirmed_after_fetched check (confirmed_at >= fetched_at)
)
-- A 304 changes validators and times alone, none of them indexed but used_at, which moves once
-- an hour at most: with room on its page such an update touches no index.
with (fillfactor = 80);

-- A hard purge finds every row of a tag before the webhook is answered. No pending list: its
-- flush would fall on some unlucky request.
create index upstream_responses_tags on upstream_responses using gin (tags) with (fastupdate = off);

create index upstream_responses_used_at on upstream_responses (used_at);

-- lz4 is several times faster than the default, and not in every build.
do $$
begin
    execute 'alter table upstream_responses alter column body set compression lz4';
exception
    when feature_not_supported or syntax_error then
        raise notice 'lz4 is not available: bodies are compressed by the default method';
end
$$;

comment on table upstream_responses is
    'GitHub''s last raw answers, service and public scopes only, until 7 days after their last use';
comment on column upstream_responses.key is
    'archive key: kind of scope, colon, 128-bit hash of path, query and representation';
comment on column upstream_responses.path is 'canonical path, for people';
comment on column upstream_responses.tags is 'the policy row''s tags, with owner:… and all';
comment on column upstream_responses.status is 'HTTP status of the answer';
comment on column upstream_responses.accept is 'media type asked for';
comment on column upstream_responses.api_version is 'X-GitHub-Api-Version asked for';
comment on column upstream_responses.etag is 'GitHub''s ETag, as sent to the last credential';
comment on column upstream_responses.last_modified is 'Last-Modified, as GitHub sent it';
comment on column upstream_responses.link is 'Link, as GitHub sent it; a 304 keeps it';
comment on column upstream_responses.content_type is 'Content-Type, as GitHub sent it';
comment on column upstream_responses.request_id is 'X-GitHub-Request-Id of the fetch';
comment on column upstream_responses.headers is 'other headers worth keeping; none that is volatile';
comment on column upstream_responses.body is 'raw decoded body: no content coding, links not rewritten';
comment on column upstream_responses.fetched_at is 'when the request that brought this body began';
comment on column upstream_responses.confirmed_at is 'when GitHub last said it is current (200 or 304)';
comment on column upstream_responses.used_at is 'last use, to the hour';
