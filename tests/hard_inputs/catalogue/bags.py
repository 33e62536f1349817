"""Faults of bags of patches."""

import os

import h5py
import numpy as np

from tests.hard_inputs.faults import Place, fault
from tests.hard_inputs.sound import WIDTH, patches, write_bag


def features(place: Place, values: object, **layout: object) -> None:
    write_bag(place.bag, {"features": np.asarray(values)}, **layout)


@fault(
    "doctor",
    "Slides must each have a bag in 'patch_features', got 1 slide without a bag:",
)
def bag_missing(place: Place) -> None:
    place.bag.unlink()


@fault(
    "doctor",
    "Slides must each have a bag in 'patch_features', got 1 slide without a bag:",
)
def bag_that_is_a_folder(place: Place) -> None:
    place.bag.unlink()
    place.bag.mkdir()


@fault(
    "doctor",
    "Slides must each have a bag in 'patch_features', got 1 slide without a bag:",
)
def bag_in_a_loop_of_links(place: Place) -> None:
    place.bag.unlink()
    place.bag.symlink_to(place.bag)


@fault(
    "doctor",
    "Slides must each have a bag in 'patch_features', got 1 slide without a bag:",
)
def bag_that_points_nowhere(place: Place) -> None:
    place.bag.unlink()
    place.bag.symlink_to("gone.h5")


@fault(
    "doctor",
    "Slides must each have a bag in 'patch_features', got 1 slide without a bag:",
)
def bag_that_is_a_pipe(place: Place) -> None:
    place.bag.unlink()
    os.mkfifo(place.bag)


@fault(
    "doctor",
    "Slides must each have a bag in 'patch_features', got 1 slide without a bag:",
)
def bag_with_another_case(place: Place) -> None:
    place.bag.rename(place.bag.with_name("ZQ-103-A.h5"))


@fault(
    "doctor",
    "Slides must each have a bag in 'patch_features', got 1 slide without a bag:",
)
def bag_with_another_suffix(place: Place) -> None:
    place.bag.rename(place.bag.with_suffix(".H5"))


@fault("doctor", "Bag must be a whole h5 file, got 'Zq-103-a.h5' (")
def bag_of_no_bytes(place: Place) -> None:
    place.bag.write_bytes(b"")


@fault("doctor", "Bag must be a whole h5 file, got 'Zq-103-a.h5' (")
def bag_that_is_no_h5(place: Place) -> None:
    place.bag.write_bytes(b"\x80\x02]q\x00.")


@fault("doctor", "Bag must be a whole h5 file, got 'Zq-103-a.h5' (")
def bag_truncated(place: Place) -> None:
    features(place, np.ones((900, WIDTH), np.float16))
    place.bag.write_bytes(place.bag.read_bytes()[:3000])


@fault("doctor", "Bag must be a whole h5 file, got 'Zq-103-a.h5' (")
def bag_with_zeros_at_its_end(place: Place) -> None:
    features(place, np.random.default_rng(0).normal(size=(900, WIDTH)), compression="gzip")
    content = place.bag.read_bytes()
    place.bag.write_bytes(content[:-4000] + bytes(4000))


@fault("doctor", "Bag must hold a dataset `features`, got coords in 'Zq-103-a.h5'.")
def bag_without_features(place: Place) -> None:
    write_bag(place.bag, {"coords": np.zeros((4, 2), int)})


@fault("doctor", "Bag must hold a dataset `features`, got nothing in 'Zq-103-a.h5'.")
def bag_with_nothing(place: Place) -> None:
    write_bag(place.bag, {})


@fault("doctor", "Bag must hold a dataset `features`, got features (no numbers) in")
def features_that_are_a_group(place: Place) -> None:
    write_bag(place.bag, {"features/0": patches(1)})


@fault("doctor", "Patch features must have width 3, got 7 in 'Zq-103-a.h5'.")
def features_of_another_width(place: Place) -> None:
    features(place, patches(1, 7))


@fault("doctor", "Patch features must have width 3, got 5 in 'Zq-103-a.h5'.")
def features_turned_round(place: Place) -> None:
    features(place, patches(1).T)


@fault(
    "doctor",
    "Patch features must be floating-point numbers of shape regions x width, got",
)
def features_of_one_dimension(place: Place) -> None:
    features(place, np.zeros(WIDTH))


@fault(
    "doctor",
    "Patch features must be floating-point numbers of shape regions x width, got",
)
def features_of_two_levels(place: Place) -> None:
    features(place, np.zeros((2, 4, WIDTH)))


@fault(
    "doctor",
    "Patch features must be floating-point numbers of shape regions x width, got",
)
def features_that_are_one_number(place: Place) -> None:
    features(place, 1.5)


@fault("doctor", "Bag must hold at least one patch, got none in 'Zq-103-a.h5'.")
def features_without_a_patch(place: Place) -> None:
    features(place, np.zeros((0, WIDTH)))


@fault("doctor", "Bag must hold a dataset `features`, got features (no numbers) in")
def features_without_a_value(place: Place) -> None:
    place.bag.unlink()
    with h5py.File(place.bag, "w") as file:
        file["features"] = h5py.Empty("f4")


@fault("doctor", "Patch features must be finite, got NaN or infinity in 'Zq-103-a.h5'.")
def features_nan(place: Place) -> None:
    features(place, np.full((4, WIDTH), np.nan))


@fault("doctor", "Patch features must be finite, got NaN or infinity in 'Zq-103-a.h5'.")
def features_infinite_once(place: Place) -> None:
    values = np.ones((4, WIDTH))
    values[3, 1] = -np.inf
    features(place, values)


@fault("doctor", "Patch features must be finite, got NaN or infinity in 'Zq-103-a.h5'.")
def features_beyond_single_precision(place: Place) -> None:
    features(place, np.full((4, WIDTH), 1e300))


@fault(
    "doctor",
    "Patch features must be floating-point numbers of shape regions x width, got int64",
)
def features_of_whole_numbers(place: Place) -> None:
    features(place, np.ones((4, WIDTH), int))


@fault(
    "doctor",
    "Patch features must be floating-point numbers of shape regions x width, got",
)
def features_of_complex_numbers(place: Place) -> None:
    features(place, np.ones((4, WIDTH), complex))


@fault(
    "doctor",
    "Patch features must be floating-point numbers of shape regions x width, got",
)
def features_of_text(place: Place) -> None:
    place.bag.unlink()
    with h5py.File(place.bag, "w") as file:
        file.create_dataset("features", data=[["a"] * WIDTH], dtype=h5py.string_dtype())


@fault(
    "doctor",
    "Patch features must be floating-point numbers of shape regions x width, got",
)
def features_of_records(place: Place) -> None:
    features(place, np.zeros((4, WIDTH), [("x", "f4"), ("y", "f4")]))


@fault(
    "doctor",
    "Bag must hold every patch that it announces, got (4, 3) announced and a part",
)
def features_of_ragged_rows(place: Place) -> None:
    place.bag.unlink()
    with h5py.File(place.bag, "w") as file:
        file.create_dataset("features", (4, WIDTH), dtype=h5py.vlen_dtype(np.float32))


@fault("doctor", "Bag must hold its patches itself, got a link to another file in 'Zq-103-a.h5'.")
def features_in_another_file(place: Place) -> None:
    write_bag(place.root / "elsewhere.h5", {"features": patches(1)})
    place.bag.unlink()
    with h5py.File(place.bag, "w") as file:
        file["features"] = h5py.ExternalLink(str(place.root / "elsewhere.h5"), "/features")


@fault("doctor", "Bag must hold its patches itself, got a link to another file in 'Zq-103-a.h5'.")
def features_in_a_raw_file(place: Place) -> None:
    (place.root / "secret.bin").write_bytes(bytes(4 * WIDTH * 4))
    place.bag.unlink()
    with h5py.File(place.bag, "w") as file:
        file.create_dataset(
            "features", (4, WIDTH), "f4",
            external=[(str(place.root / "secret.bin"), 0, h5py.h5f.UNLIMITED)],
        )  # fmt: skip


@fault("doctor", "Bag must hold its patches itself, got a link to another file in 'Zq-103-a.h5'.")
def features_in_a_raw_file_that_is_gone(place: Place) -> None:
    features_in_a_raw_file(place)
    (place.root / "secret.bin").unlink()


@fault("doctor", "Bag must hold its patches itself, got a link to another file in 'Zq-103-a.h5'.")
def features_pieced_from_other_files(place: Place) -> None:
    layout = h5py.VirtualLayout((4, WIDTH), "f4")
    layout[:] = h5py.VirtualSource(place.root / "gone.h5", "features", (4, WIDTH))
    place.bag.unlink()
    with h5py.File(place.bag, "w") as file:
        file.create_virtual_dataset("features", layout)


@fault("doctor", "Bag must hold a dataset `features`, got features (no numbers) in")
def features_behind_a_link_to_nothing(place: Place) -> None:
    place.bag.unlink()
    with h5py.File(place.bag, "w") as file:
        file["features"] = h5py.SoftLink("/gone")


@fault(
    "doctor",
    "Bag must hold every patch that it announces, got (50, 3) announced and a part",
)
def features_never_written(place: Place) -> None:
    place.bag.unlink()
    with h5py.File(place.bag, "w") as file:
        file.create_dataset("features", (50, WIDTH), "f4")


@fault(
    "doctor",
    "Bag must hold every patch that it announces, got (50, 3) announced and a part",
)
def features_written_in_part(place: Place) -> None:
    place.bag.unlink()
    with h5py.File(place.bag, "w") as file:
        file.create_dataset("features", (50, WIDTH), "f4", chunks=(10, WIDTH))[:30] = 1.0


@fault(
    "doctor",
    "Bag must hold every patch that it announces, got (1000000000000, 3) announced and",
)
def features_of_a_trillion_patches(place: Place) -> None:
    place.bag.unlink()
    with h5py.File(place.bag, "w") as file:
        file.create_dataset("features", (10**12, WIDTH), "f4", chunks=(1024, WIDTH))


@fault("doctor", "Bag must be a whole h5 file, got 'Zq-103-a.h5' (")
def features_packed_by_an_absent_filter(place: Place) -> None:
    features(place, np.ones((64, WIDTH), np.float32), compression="lzf", chunks=(64, WIDTH))
    content = place.bag.read_bytes()
    assert content.count(b"lzf\x00") == 1
    name = content.index(b"lzf\x00")
    number = content.rindex((32000).to_bytes(2, "little"), 0, name)
    damaged = content[:number] + (32999).to_bytes(2, "little") + content[number + 2 :]
    place.bag.write_bytes(damaged)


@fault("doctor", "1 bag of no patient, unused.", warns=True)
def bag_of_nobody(place: Place) -> None:
    write_bag(place.bags / "Zq-999-a.h5", {"features": patches(1)})


@fault("doctor", "Patch features must have width 1024, got 3 in 'Zq-102-a.h5'.")
def every_bag_of_another_width(place: Place) -> None:
    place.replace("site.toml", "width = 3", "width = 1024")
