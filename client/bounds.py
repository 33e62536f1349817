"""What a site holds its own update to before anybody can no longer look at it."""

from collections.abc import Mapping

import numpy as np

from privacy.errors import PrivacyError


def bounded(
    update: Mapping[str, np.ndarray], received: Mapping[str, np.ndarray], *, most: float
) -> dict[str, np.ndarray]:
    """Return an update that is finite, shaped as the received model, and not too far from it.

    A coordinator sees sums only, so no one else can look.

    Args:
        update: Weights after training.
        received: Weights before.
        most: Longest that the change may be, over all arrays together; a longer one is shortened
            to it. 0 = any length.

    Raises:
        PrivacyError: A value is not finite, or an array is not one of the received model's.

    Source: own; shortening as McMahan et al., ICLR 2018.
    """
    if set(update) != set(received):
        raise PrivacyError("An update must have the arrays of the received model, got others.")
    for name, value in update.items():
        if value.shape != received[name].shape or not np.isfinite(value).all():
            raise PrivacyError(
                f"An update must be finite and shaped as the received model, got otherwise in "
                f"'{name}'. Nothing was sent. Look at the training: has it diverged?"
            )
    change = {
        name: np.subtract(value, received[name], dtype=float) for name, value in update.items()
    }
    length = float(np.sqrt(sum(float(np.square(one).sum()) for one in change.values())))
    if not most or length <= most:
        return dict(update)
    return {name: received[name] + most / length * one for name, one in change.items()}
