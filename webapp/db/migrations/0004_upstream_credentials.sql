-- Whose ETag it is: GitHub's covers the Authorization value, so another token has another.

alter table upstream_responses add column credential text;

comment on column upstream_responses.credential is
    'keyed fingerprint of the token that the ETag was last seen with; never the token';
