"""Texts for searching: whatever was said can be found by its words, and parts lose nothing."""

import doctest

from hypothesis import given
from hypothesis import strategies as st

import domain.search
from domain.search import AROUND, LONGEST, MOST_TERMS, PART, query_terms, snippet, terms, text_parts


def test_the_examples_hold() -> None:
    assert doctest.testmod(domain.search).failed == 0


@given(st.lists(st.text(max_size=200)))
def test_every_query_for_what_was_said_finds_it(lines: list[str]) -> None:
    found = {term for part in text_parts(lines) for term in part.terms}
    for line in lines:
        for term in query_terms(line):
            assert any(there.startswith(term) for there in found)


@given(st.text())
def test_terms_are_short_and_hold_nothing_that_a_database_gives_a_meaning_to(text: str) -> None:
    for term in (*terms(text), *query_terms(text)):
        assert 0 < len(term) <= LONGEST
        assert not set(term) & set(" '\"\\:&|!()*<>%\0\t\n")
    assert len(query_terms(text)) <= MOST_TERMS


@given(st.lists(st.text(st.characters(codec="ascii", categories=["Ll"]), min_size=1, max_size=20_000), max_size=4))
def test_parts_are_bounded_and_lose_no_character(lines: list[str]) -> None:
    parts = text_parts(lines)
    assert "".join(part.text for part in parts).replace(" ", "") == "".join(lines)
    assert all(len(part.text) <= 2 * PART for part in parts)


@given(st.text(), st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=3))
def test_a_snippet_is_short_and_total(text: str, wanted: list[str]) -> None:
    assert len(snippet(text, wanted)) <= 5 * AROUND + len(max(text.split(), key=len, default="")) + 4


def test_a_snippet_shows_the_hit() -> None:
    text = "nothing here " * 100 + "then the Auditors spoke at length " + "nothing more " * 100
    assert "Auditors" in snippet(text, ("audit",))
    assert "東京都" in snippet("あ" * 500 + "東京都へ行く" + "い" * 500, query_terms("東京"))
    assert snippet("", ("a",)) == ""
