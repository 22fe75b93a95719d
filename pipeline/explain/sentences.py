"""What the numbers of an explanation come to, in sentences: no picture is shown without them."""

from __future__ import annotations

from pipeline.explain.explanation import Attribution, Explanation

_HALF = 0.5
"""Where half of the orders do as well, a method is no better than chance; below, it may be."""
_MUCH = 0.05
"""Share that the sum of the scores may miss before more steps are advised."""


def headlines(explanation: Explanation) -> list[str]:
    """One sentence for each method, those first that do no better than chance."""
    return [headline(one, explanation) for one in doubtful_first(explanation)]


def doubtful_first(explanation: Explanation) -> list[Attribution]:
    """The methods by how they do against chance, the worst first."""

    def place(one: Attribution) -> tuple[int, float]:
        found = one.faithfulness
        return len(found.better_by), -max(found.p_deletion, found.p_insertion)

    return sorted(explanation.attributions, key=place)


def headline(one: Attribution, explanation: Explanation) -> str:
    """Whether a method's order of the tokens does better than random orders, and by how much."""
    found, chance = one.faithfulness, explanation.chance
    spread = f"{chance.mean:.3f} ± {chance.deviation:.3f}"
    told = (
        f"deletion {found.deletion.area:.3f} (p = {found.p_deletion:.2f}), "
        f"insertion {found.insertion.area:.3f} (p = {found.p_insertion:.2f}), random {spread}"
    )
    if not found.better_by:
        than = "NO BETTER" if max(found.p_deletion, found.p_insertion) >= _HALF else "NOT SURELY BETTER"
        return (
            f"{one.method} is {than} THAN A RANDOM ORDER of the tokens here ({told}): "
            "do not take its colours for reasons."
        )
    if len(found.better_by) == 1:
        return f"{one.method} is better than a random order of the tokens by {found.better_by[0]} alone ({told})."
    return f"{one.method} is better than a random order of the tokens, by deletion and by insertion ({told})."


def what_was_said(explanation: Explanation) -> str:
    """What is explained, and its value with all tokens and with none."""
    amount = (
        f"{explanation.unit} {explanation.value:.3f}, and {explanation.empty:.3f} with every token taken away"
    )
    return f"Explained: the {_KINDS[explanation.kind]} {_quoted(explanation.name)} ({amount})."


def completeness(one: Attribution) -> str:
    """Of a method whose scores add up to something: to what, by how much they miss it, and whether that is much."""
    if "gap" not in one.facts:
        return ""
    facts = one.facts
    wanted = facts["score"] - facts["baseline_score"]
    share = abs(facts["gap"] / wanted) if wanted else 0.0
    told = (
        f"Its scores add up to {wanted + facts['gap']:+.3f}, and should to {wanted:+.3f} "
        f"(completeness gap {facts['gap']:+.4f}, {share:.1%} of it; {facts['steps']:.0f} steps)."
    )
    return told + (" That is much: use more --steps." if share > _MUCH else "")


_KINDS = {
    "class": "class",
    "label": "label",
    "grade": "number",
    "span": "answer",
    "written": "written text",
}


def _quoted(name: str) -> str:
    return name if name.startswith(("'", '"')) else f"'{name}'"
