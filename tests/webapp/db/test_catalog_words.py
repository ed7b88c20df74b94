"""What the index of trigrams is asked for, of a q's words."""

from __future__ import annotations

import pytest

from webapp.db.catalog_words import Word, conditions, words


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("flask", [Word("flask", ("%flask%",), exact=True)]),
        ("Web-Cache", [Word("Web-Cache", ("%Cache%", "%Web%"), exact=False)]),
        ("acme/web-cache-7f3a", [Word("acme/web-cache-7f3a", ("%7f3a%", "%cache%"), exact=False)]),
        ("dashboard", [Word("dashboard", ("%dashboa%",), exact=False)]),
        ("server", [Word("server", ("%serve%",), exact=False)]),
        ("flask.", [Word("flask.", ("%flask%",), exact=False)]),
        ("a-flask", [Word("a-flask", ("%flask%",), exact=False)]),
        ("c++", [Word(" c++", ("% c++%",), exact=True)]),
        ("(go", [Word(" go", ("% go%",), exact=True)]),
        ("a_b", [Word(" a_b", (r"% a\_b%",), exact=True)]),
        ("%% -", []),
    ],
)
def test_an_index_is_asked_for_what_tells_of_a_word(q: str, expected: list[Word]) -> None:
    assert list(words(q)) == expected


def test_more_than_eight_words_are_left_out() -> None:
    assert len(conditions("one " * 20).read) == 8
