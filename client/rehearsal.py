"""Private steps rehearsed before a site takes part: do they do what its policy's ledger counts?"""

from pathlib import Path

from client.policy import read_policy


def rehearse(folder: Path) -> str | None:
    """Return a sentence on what private steps do here; None where no policy plans any.

    The installed code is tried, with the policy's own plan and made-up records. The code that an
    approved bundle brings is tried again before its first private step.

    Args:
        folder: A site folder.

    Raises:
        ConfigError: The policy cannot be read.
        PrivacyError: A step is not what the policy plans, or the plan cannot be made.

    Privacy: no patient is read.

    Source: own.
    """
    policy = read_policy(folder)
    if policy is None or not policy.max_epsilon:
        return None
    from client.consent import Consent  # torch takes seconds, and most sites need none of it here
    from privacy.attacks.step import SUMS, check_step

    figures = check_step(Consent(policy, private=True).plan())
    told = ", ".join(str(figure) for figure in figures[:3])
    return f"Private steps do what the policy plans, in {SUMS:,} noisy sums: {told}."
