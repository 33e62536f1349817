"""Tables of counts by time and event made sane after noise: nobody returns, nobody is negative."""

import numpy as np
from jaxtyping import Float


def sane_table(table: Float[np.ndarray, "row 2"]) -> Float[np.ndarray, "row 2"]:
    """Return a table of those who leave that a cohort could have.

    Numbers at risk are sums from the end; each is raised to the largest later one (and to 0), so
    that nobody returns. Who leaves in a row is the difference; events are cut to between none and
    all of them. A table of counts >= 0 stays as it is.

    Args:
        table: Row by (censored, event), of any sign.

    Returns:
        A table >= 0.

    Source: own (isotonic by the running maximum; post-processing costs no privacy).
    """
    at_risk = np.cumsum(table.sum(axis=1)[::-1])
    leaving = np.diff(np.maximum.accumulate(np.maximum(at_risk, 0.0)), prepend=0.0)[::-1]
    events = np.clip(table[:, 1], 0.0, leaving)
    return np.stack([leaving - events, events], axis=1)
