import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.errors import SiteError
from fusion.readers.bags import BagReader, Room
from fusion.readers.formats.registry import SlideFile
from fusion.seeding import generator

FIRST = np.arange(21.0).reshape(7, 3)
SECOND = 100 + np.arange(12.0).reshape(4, 3)
BOTH = np.concatenate([FIRST, SECOND])


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    import h5py

    folder = tmp_path_factory.mktemp("bags")
    for name, values in {"a.h5": FIRST, "b.h5": SECOND}.items():
        with h5py.File(folder / name, "w") as file:
            file.create_dataset("features", data=values.astype(np.float16))
    return (
        (SlideFile(folder / "a.h5"), SlideFile(folder / "b.h5")),
        (),
        (SlideFile(folder / "b.h5"),),
    )


def test_slides_of_one_patient_are_one_bag(slides):
    reader = BagReader(slides, 3)
    assert [reader.patches(patient) for patient in range(3)] == [11, 0, 4]
    patches = reader.sample(0, max_patches=99, generator=generator(1))
    np.testing.assert_array_equal(patches, BOTH)
    assert patches.dtype == np.float32


@settings(max_examples=30, deadline=None)
@given(most=st.integers(1, 11), seed=st.integers(0, 99), cache=st.sampled_from([0, 30, 10**6]))
def test_sample_is_a_draw_without_replacement_in_order_of_the_disk(slides, most, seed, cache):
    reader = BagReader(slides, 3, Room(cache))
    patches = reader.sample(0, max_patches=most, generator=generator(seed))
    places = [int(np.flatnonzero((patch == BOTH).all(axis=1))[0]) for patch in patches]
    assert len(places) == most
    assert places == sorted(set(places))


@settings(max_examples=30, deadline=None)
@given(most=st.integers(1, 11), seed=st.integers(0, 99))
def test_cache_changes_no_draw(slides, most, seed):
    draws = [
        BagReader(slides, 3, Room(cache)).sample(0, max_patches=most, generator=generator(seed))
        for cache in (0, 30, 10**6)
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws[0], draws[2])


def test_every_patch_is_drawn_equally_often(slides):
    reader, rng = BagReader(slides, 3), generator(5)
    draws = [reader.sample(0, max_patches=4, generator=rng)[:, 0] for _ in range(3000)]
    seen = np.array([np.isin(BOTH[:, 0], draw) for draw in draws]).mean(axis=0)
    # 4 of 11 = .364; the standard error of a share over 3000 draws is .009
    np.testing.assert_allclose(seen, 4 / 11, atol=0.04)


@pytest.mark.parametrize("chunk", [1, 3, 7, 8, 11, 50])
def test_chunks_laid_end_to_end_are_the_bag(slides, chunk):
    chunks = list(BagReader(slides, 3).chunks(0, chunk))
    assert max(map(len, chunks)) <= chunk
    np.testing.assert_array_equal(np.concatenate(chunks), BOTH)


def test_patient_without_slides_has_an_empty_bag(slides):
    reader = BagReader(slides, 3)
    assert reader.sample(1, max_patches=5, generator=generator(1)).shape == (0, 3)
    assert list(reader.chunks(1, 5)) == []


def test_kept_bag_is_not_read_again(tmp_path, bag):
    path = bag(tmp_path / "a.h5")
    reader = BagReader(((SlideFile(path),),), 3)
    before = reader.sample(0, max_patches=2, generator=generator(1))
    path.unlink()
    np.testing.assert_array_equal(reader.sample(0, max_patches=2, generator=generator(1)), before)


def test_cache_never_grows_beyond_its_bytes(slides):
    reader = BagReader(slides, 3, Room(45))  # a.h5: 7 x 3 x 2 = 42 bytes, b.h5: 24
    list(reader.chunks(0, 5))
    assert sum(values.nbytes for values in reader._kept.values()) == 42


def test_readers_share_a_room(slides):
    room = Room(66)  # a.h5: 42 bytes, b.h5: 24; each reader would keep both alone
    readers = [BagReader(slides, 3, room) for _ in range(2)]
    for reader in readers:
        np.testing.assert_array_equal(np.concatenate(list(reader.chunks(0, 5))), BOTH)
    assert [len(reader._kept) for reader in readers] == [2, 0]


def test_a_room_gives_what_it_has_and_no_more():
    room = Room(10)
    assert [room.take(size) for size in (4, 7, 6, 1)] == [True, False, True, False]


@pytest.mark.parametrize("cache", [0, 10**6])
def test_nan_found_while_training_is_an_error(tmp_path, bag, cache):
    path = bag(tmp_path / "a.h5", np.full((4, 3), np.nan))
    with pytest.raises(SiteError, match="must be finite"):
        BagReader(((SlideFile(path),),), 3, Room(cache)).sample(
            0, max_patches=2, generator=generator(1)
        )
