"""Numpy's file format from bytes, without parsing the same header for every array."""

from io import BytesIO

import numpy as np


def read_npy(data: bytes, *, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the array that numpy.save wrote to `data`.

    Where the header is the one that numpy writes for `dtype` and `shape` in C order, the values
    are taken as they lie; any other header is left to numpy.load.

    Args:
        data: The file's content.
        dtype: What the array is said to be.
        shape: Likewise.

    Returns:
        The array; read-only where it was taken as it lies.

    Raises:
        ValueError: The content is no array, or would need pickle.

    Source: own; format: numpy.lib.format, version 1.0.
    """
    kind = np.dtype(dtype)
    told = f"{{'descr': '{kind.str}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    start = 10 + int.from_bytes(data[8:10], "little")
    size = kind.itemsize * int(np.prod(shape))
    if data[:8] != b"\x93NUMPY\x01\x00" or data[10:start].rstrip() != told or kind.hasobject:
        return np.load(BytesIO(data), allow_pickle=False)
    if len(data) != start + size:
        raise ValueError(f"Array must hold {size} bytes, got {len(data) - start}. Send it again.")
    return np.frombuffer(data, kind, offset=start).reshape(shape)
