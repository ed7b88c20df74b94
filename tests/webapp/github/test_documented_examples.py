"""What GitHub's documentation shows of limits and errors, as examples, is read as it says."""

from __future__ import annotations

import pytest
from requests.structures import CaseInsensitiveDict

from webapp.github.answer import Answer, is_limit
from webapp.github.budget import Lane, Slot
from webapp.github.limits import ending, stated_pause

# "Checking the status of your rate limit", the headers of an answer.
RATE_HEADERS = CaseInsensitiveDict(
    {
        "x-ratelimit-limit": "60",
        "x-ratelimit-remaining": "56",
        "x-ratelimit-used": "4",
        "x-ratelimit-reset": "1372700873",
        "x-ratelimit-resource": "core",
    }
)
# "Rate limits for the REST API", "Troubleshooting": the three meanings of a 403, and a 404.
PRIMARY = (
    b'{"message":"API rate limit exceeded for xxx.xxx.xxx.xxx. (But here\'s the good news: '
    b"Authenticated requests get a higher rate limit. Check out the documentation for more "
    b'details.)","documentation_url":"https://docs.github.com/rest/overview/'
    b'resources-in-the-rest-api#rate-limiting"}'
)
SECONDARY = (
    b'{"message":"You have exceeded a secondary rate limit and have been temporarily blocked '
    b'from content creation. Please retry your request again later.",'
    b'"documentation_url":"https://docs.github.com/rest/overview/'
    b'resources-in-the-rest-api#secondary-rate-limits"}'
)
FORBIDDEN = b'{"message":"Resource not accessible by personal access token","status":"403"}'
NOT_FOUND = b'{"message":"Not Found","documentation_url":"https://docs.github.com/rest"}'


def test_the_rate_limit_headers_tell_the_hour() -> None:
    told = ending(Slot("1", "c", "core", Lane.INTERACTIVE, 1, 1), 200, RATE_HEADERS, 1).told
    assert told is not None
    assert (told.limit, told.remaining, told.reset) == (60, 56, 1372700873)
    assert told.resource == "core"


@pytest.mark.parametrize(
    ("status", "headers", "body", "limit"),
    [
        (403, {**RATE_HEADERS, "x-ratelimit-remaining": "0"}, PRIMARY, True),
        (429, {**RATE_HEADERS, "x-ratelimit-remaining": "0"}, PRIMARY, True),
        (403, {"retry-after": "60"}, SECONDARY, True),
        (403, {"x-ratelimit-remaining": "4999"}, SECONDARY, True),
        (403, {"x-ratelimit-remaining": "4999"}, FORBIDDEN, False),
        (404, {"x-ratelimit-remaining": "4999"}, NOT_FOUND, False),
    ],
)
def test_a_403_is_told_apart_in_its_three_meanings(
    status: int, headers: dict[str, str], body: bytes, limit: bool
) -> None:
    assert is_limit(status, CaseInsensitiveDict(headers), body) is limit
    assert Answer(status, CaseInsensitiveDict(headers), body, 0.0).ending is (
        status == 403 and not limit
    )


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "30", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1500"}, 30),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1500"}, 500),
    ],
)
def test_retry_after_goes_before_the_reset(headers: dict[str, str], seconds: float) -> None:
    assert stated_pause(CaseInsensitiveDict(headers), 1000.0) == pytest.approx(seconds, abs=2)
