import pytest

from tests.docs import extension

text_of_formulas = extension("formula_text")


def formulas_in(text):
    return [part for part, is_formula in text_of_formulas.split_text(text) if is_formula]


@pytest.mark.parametrize(
    "formula", ["η < 2/λ;", "1/(1 − β) = 10.", "v ← βv + g,", "κ = L/μ", "2(1 + β)/λ.", "ln ½/ln"]
)
def test_a_formula_is_found_whole_between_words(formula):
    found = formulas_in(f"the limit is {formula} and no more")
    assert found == [formula.removeprefix("ln ")]


def test_parts_of_a_text_make_the_text():
    text = "Stable iff 0 < η < 1/σ². Then wₖ − y/σ = (1 − 2ησ²)ᵏ·(w₀ − y/σ)\nholds (κ = 100)."
    parts = [part for part, _ in text_of_formulas.split_text(text)]
    assert "".join(parts) == text


def test_a_line_of_the_source_may_end_in_a_formula():
    assert formulas_in("at β\n= 0.9 it is so") == ["β = 0.9"]


def test_a_long_formula_breaks_after_a_relation_outside_of_brackets():
    long = "wₖ − y/σ = (1 − 2ησ²)ᵏ·(w₀ − y/σ) < 1"
    assert text_of_formulas.pieces_of(long) == ["wₖ − y/σ =", "(1 − 2ησ²)ᵏ·(w₀ − y/σ) <", "1"]


def test_a_long_sum_breaks_after_its_signs_outside_of_brackets():
    long = "(1 + b₁)·first + (1 + b₂)·second + (1 + b₃)·third"
    pieces = text_of_formulas.pieces_of(long)
    assert pieces == ["(1 + b₁)·first +", "(1 + b₂)·second +", "(1 + b₃)·third"]


@pytest.mark.parametrize("text", ["A dash – like this.", "well-known rules", "from 1 to 2", "x = "])
def test_words_are_no_formula(text):
    assert not formulas_in(text)


def test_what_no_line_of_a_phone_can_hold_may_break_anywhere():
    long = "a_function_of_many_letters(x)/another_function_of_many_letters(x)"
    assert not formulas_in(f"It is {long} here.")
