"""GitHub's names and paths as the API's models take them: what fits here is refused nowhere behind.

So a description made of these patterns is exact: who sends what fits gets no 400.
"""

from __future__ import annotations

LOGIN = r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}"
# Not dots alone: `.` and `..` name no repository.
REPOSITORY = r"\.{0,2}[A-Za-z0-9_-][A-Za-z0-9._-]{0,97}"
_OWNER = r"\.{0,2}[A-Za-z0-9_-][A-Za-z0-9._-]*"
_ANY = r'[!"$-.0->@-\[\]-~]'  # visible ASCII but / ? # and the backslash
_NO_DOT = r'[!"$-\-0->@-\[\]-~]'
_SEGMENT = rf"\.{{0,2}}{_NO_DOT}{_ANY}*"
_QUERY = r"(?:\?(?:[!-$&-~]|%[2-7][0-9A-Fa-f])*)?"

PATH = rf"^(?:/(?:{_SEGMENT})?)+{_QUERY}$"
"""Any path, with its query if it has one."""
TAGGED_PATH = (
    r"^(?:/api/v3)?/(?:organizations|user/(?:orgs|repos)"
    rf"|(?:orgs|users)/{_OWNER}(?:/repos)?|users/{_OWNER}/orgs"
    rf"|repos/{_OWNER}/{_OWNER}(?:/{_SEGMENT})*|user/starred/{_OWNER}/{_OWNER}){_QUERY}$"
)
"""A path whose row has a tag of its own."""
