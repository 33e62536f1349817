"""Faults of slide features as other tools write them."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import torch

from tests.hard_inputs.faults import Place, fault
from tests.hard_inputs.sound import WIDTH
from tests.layouts import rewrite_site

SLIDE = "Zq-103-a"


class Telltale:
    """An object whose unpickling would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def pt(place: Place) -> Path:
    """Turn the site into one of CLAM's pt files and return one of them."""
    rewrite_site(place.site, "clam-pt")
    return place.bags / "pt_files" / f"{SLIDE}.pt"


def h5(place: Place, kind: str) -> h5py.File:
    """Turn the site into one of another tool's h5 files and return one of them, open."""
    rewrite_site(place.site, kind)
    return h5py.File(next(place.bags.rglob(f"{SLIDE}.h5")), "a")


def vectors(place: Place) -> Path:
    """Turn the site into one of npy vectors and return one of them."""
    for bag in list(place.bags.iterdir()):
        np.save(bag.with_suffix(".npy"), np.ones(WIDTH, np.float32))
        bag.unlink()
    return place.bags / f"{SLIDE}.npy"


def table(place: Place) -> pd.DataFrame:
    """Turn the site into one with a parquet file of all features and return what it holds."""
    rewrite_site(place.site, "parquet")
    return pd.read_parquet(place.site / "all.parquet")


def put(place: Place, features: pd.DataFrame) -> None:
    features.to_parquet(place.site / "all.parquet", index=False)


@fault("doctor", "Bag must be a pt file of tensors alone, got 'Zq-103-a.pt', which is damaged or")
def pt_that_would_run_code(place: Place) -> None:
    torch.save(Telltale(place.root / "ran"), pt(place))


@fault("doctor", "Bag must be a pt file of tensors alone, got 'Zq-103-a.pt', which is damaged or")
def pt_that_is_a_plain_pickle(place: Place) -> None:
    pt(place).write_bytes(pickle.dumps(Telltale(place.root / "ran")))


@fault("doctor", "Bag must be a tensor, or a dict with a tensor `features` or `feats`, got another")
def pt_of_a_list(place: Place) -> None:
    torch.save([torch.ones(4, WIDTH)], pt(place))


@fault("doctor", "Bag must be a tensor, or a dict with a tensor `features` or `feats`, got a dict")
def pt_without_features(place: Place) -> None:
    torch.save({"patches": torch.ones(4, WIDTH)}, pt(place))


@fault("doctor", "Patch features must be floating-point numbers of shape regions x width, got")
def pt_of_whole_numbers(place: Place) -> None:
    torch.save(torch.ones(4, WIDTH, dtype=torch.int64), pt(place))


@fault("doctor", "Patch features must have width 3, got 7 in 'Zq-103-a.pt'.")
def pt_of_another_width(place: Place) -> None:
    torch.save(torch.ones(4, 7), pt(place))


@fault("doctor", "Patch features must be floating-point numbers of shape regions x width, got")
def pt_of_three_levels(place: Place) -> None:
    torch.save(torch.ones(2, 4, WIDTH), pt(place))


@fault("doctor", "Patch features must be finite, got NaN or infinity in 'Zq-103-a.pt'.")
def pt_with_nan(place: Place) -> None:
    torch.save(torch.full((4, WIDTH), torch.nan), pt(place))


@fault(
    "doctor", "Bag must be a tensor, or a dict with a tensor `features` or `feats`, got a tensor"
)
def pt_that_is_sparse(place: Place) -> None:
    torch.save(torch.eye(WIDTH).to_sparse(), pt(place))


@fault("doctor", "Bag must be a whole pt file, got 'Zq-103-a.pt' (")
def pt_truncated(place: Place) -> None:
    path = pt(place)
    path.write_bytes(path.read_bytes()[:200])


@fault("doctor", "Bag must be a whole pt file, got 'Zq-103-a.pt' (")
def pt_of_no_bytes(place: Place) -> None:
    pt(place).write_bytes(b"")


@fault("doctor", "Slides must each have a bag in 'patch_features', got 1 slide without a bag:")
def pt_that_is_missing(place: Place) -> None:
    pt(place).unlink()


@fault("doctor", "Bag must be a whole npy file, got 'Zq-103-a.npy' (")
def npy_that_is_a_pickle(place: Place) -> None:
    path = vectors(place)
    np.save(path, np.array([Telltale(place.root / "ran")], dtype=object), allow_pickle=True)


@fault("doctor", "Bag must be a whole npy file, got 'Zq-103-a.npy' (")
def npy_truncated(place: Place) -> None:
    path = vectors(place)
    path.write_bytes(path.read_bytes()[:-4])


@fault("doctor", "Patch features must be floating-point numbers of shape width, or 1 x width, got")
def npy_of_patches(place: Place) -> None:
    np.save(vectors(place), np.ones((4, WIDTH), np.float32))


@fault("doctor", "Patch features must have width 3, got 7 in 'Zq-103-a.npy'.")
def npy_of_another_width(place: Place) -> None:
    np.save(vectors(place), np.ones(7, np.float32))


@fault("doctor", "Bag must be a whole npy file, got 'Zq-103-a.npy' (")
def npy_that_announces_a_trillion_numbers(place: Place) -> None:
    path = vectors(place)
    content = path.read_bytes().replace(b"(3,), }                ", b"(1000000000000,), }    ")
    path.write_bytes(content)


@fault(
    "doctor", "Coordinates must be one finite pair of numbers a patch, 5 x 2, got int64 of shape"
)
def coordinates_of_other_patches(place: Place) -> None:
    with h5(place, "clam-h5") as file:
        del file["coords"]
        file["coords"] = np.zeros((2, 2), int)


@fault("doctor", "Coordinates must be one finite pair of numbers a patch, 5 x 2, got NaN or")
def coordinates_of_nan(place: Place) -> None:
    with h5(place, "stamp") as file:
        file["coords"][...] = np.nan


@fault("doctor", "Bag must hold a dataset `feats`, got coords, feature in 'Zq-103-a.h5'.")
def features_of_one_slide_under_another_name(place: Place) -> None:
    with h5(place, "stamp") as file:
        file["feature"] = file["feats"][()]
        del file["feats"]


@fault("doctor", "Bag must hold a dataset `feats`, got coords, features in 'Zq-102-a.h5'.")
def trident_folder_called_stamp(place: Place) -> None:
    rewrite_site(place.site, "trident")
    place.replace("site.toml", "width = 3", 'width = 3\nformat = "stamp"')


@fault("doctor", "Folder of patch features must hold .h5 or .pt or .npy files, got Zq-102-a.zarr,")
def folder_of_features_of_no_known_kind(place: Place) -> None:
    for bag in list(place.bags.iterdir()):
        bag.rename(bag.with_suffix(".zarr"))


@fault("doctor", "Folder of patch features must hold .h5 or .pt or .npy files, got uni in ")
def folder_of_features_one_level_too_high(place: Place) -> None:
    place.bags.rename(place.site / "inner")
    place.bags.mkdir()
    (place.site / "inner").rename(place.bags / "uni")


@fault(
    "doctor", "[features] must name a folder or a file, got both in site.toml. Remove one of them."
)
def features_in_a_folder_and_in_a_file(place: Place) -> None:
    place.replace("site.toml", "width = 3", 'width = 3\nfile = "all.parquet"')


@fault("doctor", "File of features must exist, got no file ")
def file_of_features_missing(place: Place) -> None:
    table(place)
    (place.site / "all.parquet").unlink()


@fault("doctor", "File of features must be a whole parquet file, got 'all.parquet' (")
def file_of_features_truncated(place: Place) -> None:
    table(place)
    path = place.site / "all.parquet"
    path.write_bytes(path.read_bytes()[:-300])


@fault("doctor", "File of features must be a whole parquet file, got 'all.parquet' (")
def file_of_features_damaged_inside(place: Place) -> None:
    table(place)
    path = place.site / "all.parquet"
    content = bytearray(path.read_bytes())
    content[100:300] = b"\xff" * 200
    path.write_bytes(bytes(content))


@fault(
    "doctor", "File of features must name the slide or the patient of each row (slide, slide_id,"
)
def file_of_features_without_names(place: Place) -> None:
    put(place, table(place).drop(columns="slide_id"))


@fault(
    "doctor", "File of features must name the slide of each row, got 1 empty name in 'all.parquet'."
)
def file_of_features_with_an_empty_name(place: Place) -> None:
    features = table(place)
    features.loc[0, "slide_id"] = ""
    put(place, features)


@fault("doctor", "Lists of features must have width 3, as the first row, got 2 in 'all.parquet'.")
def file_of_features_with_short_lists(place: Place) -> None:
    features = table(place)
    features.at[3, "embedding"] = features.at[3, "embedding"][:2]
    put(place, features)


@fault("doctor", "Patch features must be finite, got NaN or infinity in 'all.parquet'.")
def file_of_features_with_nan(place: Place) -> None:
    features = table(place)
    features.at[3, "embedding"] = features.at[3, "embedding"] * np.nan
    put(place, features)


@fault(
    "doctor", "Lists of features must have width 3, as the first row, got None in 'all.parquet'."
)
def file_of_features_with_an_empty_row(place: Place) -> None:
    features = table(place)
    features.at[3, "embedding"] = None
    put(place, features)


@fault("doctor", "File of features must hold features in a column of lists, or in floating-point")
def file_of_features_of_text(place: Place) -> None:
    put(place, table(place).assign(embedding="high"))


@fault("doctor", "File of features must have one column of lists, got embedding, other in")
def file_of_features_with_two_lists(place: Place) -> None:
    features = table(place)
    put(place, features.assign(other=features["embedding"]))


@fault(
    "doctor", "Slides must each have a bag in 'all.parquet', got 1 slide without a bag: Zq-103-a."
)
def file_of_features_without_a_slide(place: Place) -> None:
    features = table(place)
    put(place, features[features["slide_id"] != f"{SLIDE}.svs"])


@fault("doctor", "Slide must belong to the same patient in the tables and in the file of features,")
def slide_of_one_patient_here_and_another_there(place: Place) -> None:
    features = table(place)
    owner = features["slide_id"].str.slice(0, 6)
    put(place, features.assign(patient=owner.where(owner != "Zq-103", "Zq-104")))


@fault("doctor", "'format' must be a text, got ['clam-h5'] in site.toml. Write format = \"...\".")
def format_that_is_a_list(place: Place) -> None:
    place.replace("site.toml", "width = 3", 'width = 3\nformat = ["clam-h5"]')
