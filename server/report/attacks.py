"""What attacks on a model came to, beside what its accountant promises."""

from collections.abc import Iterator, Mapping
from typing import Any

from server.report.words import number


def attacks(attack: Mapping[str, Any] | None, result: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the rows and sentences of the section on attacks; None if there was none.

    Args:
        attack: What attack.json holds.
        result: What result.json holds.

    Source: own.
    """
    if attack is None:
        return None
    whole = {"name": "All sites", "epsilon": None, "canaries": None, "one_run": None}
    return {
        "rows": [*attack["sites"], whole | {"membership": attack["pooled"]["membership"]}],
        "private": result["privacy"]["differential_privacy"],
        "sentences": list(sentences(attack)),
        "stale": attack["model_sha256"] != result["model"]["sha256"],
    }


def _exceeded(site: Mapping[str, Any]) -> bool:
    """Return whether a bound from below lies above the accountant's epsilon."""
    canaries, guesses = site["canaries"], site["one_run"]
    return bool(
        (canaries and canaries["lower"] > site["epsilon"])
        or (guesses and guesses["lower"] > guesses["epsilon"])
    )


def sentences(attack: Mapping[str, Any]) -> Iterator[str]:
    """Yield what does not go into the table.

    Source: own.
    """
    for site in attack["sites"]:
        if _exceeded(site):
            yield (
                f"{site['name']}: a bound from below lies above the promise. By chance this "
                "happens in one of twenty attacks; attack again with another --seed."
            )
    for site in attack["sites"]:
        wrong = [f["name"] for f in site["step"] or () if not f["holds"]]
        if wrong:
            yield f"Step test of {site['name']}: failed in {', '.join(wrong)}."
    if any(site["step"] for site in attack["sites"]):
        yield (
            "Step test: thousands of noisy sums, with and without a record of the greatest length, "
            "were held against each site's plan; where nothing else is said, they agree."
        )
    if attack["pooled"]["one_run"]:
        yield from _one_run(attack["pooled"]["one_run"])
    if attack["leakage"]:
        yield _leakage(attack["leakage"])


def _one_run(found: Mapping[str, Any]) -> Iterator[str]:
    most = "none" if found["epsilon"] is None else number(found["epsilon"], 2)
    yield (
        f"One run: of {found['coins']} patients whom coins put in or out of one more model, "
        f"{found['correct']} of {found['guesses']} guesses were right: epsilon is at least "
        f"{number(found['lower'], 2)} (95%, delta {found['delta']:g}; accountant: {most})."
    )


def _leakage(found: Mapping[str, Any]) -> str:
    plain, private = found["plain"], found["private"]
    return (
        f"Leakage: of one patient's {found['numbers']} {found['modality']} numbers a plain "
        f"gradient reveals {number(100 * plain['revealed'], 0)}% exactly (cosine "
        f"{number(plain['cosine'], 4)}), a private step {number(100 * private['revealed'], 0)}% "
        f"(cosine {number(private['cosine'], 2)}; by chance below "
        f"{number(private['chance'], 2)})."
    )
