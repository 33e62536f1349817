import numpy as np
import pytest
import torch

from fusion.readers.bags import Room
from fusion.seeding import generator
from fusion.training.data import Draw, PatientData

DRAW, ROWS = Draw(seed=1, site="lyon", round=3, step=2), range(24)


def test_a_patients_key_depends_on_everything_that_names_the_draw():
    others = [Draw(2, "lyon", 3, 2), Draw(1, "graz", 3, 2), Draw(1, "lyon", 4, 2),
              Draw(1, "lyon", 3, 1)]  # fmt: skip
    keys = {draw.key("p1") for draw in [DRAW, *others]} | {DRAW.key("p2")}
    assert len(keys) == 6
    assert DRAW.key("p1") == Draw(1, "lyon", 3, 2).key("p1")


def test_a_batch_has_every_modality_in_the_plans_order(data):
    rows = [3, 0, 7]
    batch = data.batch(rows, data.keys(rows, DRAW))
    assert list(batch.inputs) == ["slides", "omics"]
    assert batch.inputs["omics"].shape == (3, 40)
    assert batch.inputs["slides"].features.shape == (3, 8, 24)
    assert batch.inputs["slides"].features.dtype == torch.float32


def test_a_patients_patches_do_not_depend_on_who_else_is_in_the_batch(data):
    alone = data.batch([5], data.keys([5], DRAW)).inputs["slides"]
    rows = [9, 5, 1, 2]
    shared = data.batch(rows, data.keys(rows, DRAW)).inputs["slides"]
    number = int(alone.mask.sum())
    torch.testing.assert_close(shared.features[1, :number], alone.features[0], rtol=0, atol=0)


def test_patches_are_drawn_anew_each_step(data):
    row = [next(r for r in range(24) if data.bags.patches(r) > 8)]
    drawn = [data.batch(row, data.keys(row, Draw(1, "lyon", 1, step))).inputs["slides"].features
             for step in (0, 1)]  # fmt: skip
    assert not torch.equal(*drawn)


def test_a_patient_who_lacks_a_modality_has_zeros_and_is_marked(data, cohort):
    row = int(np.flatnonzero(~cohort.has_slides)[0])
    batch = data.batch([row], data.keys([row], DRAW))
    assert not batch.present["slides"].item()
    assert batch.present["omics"].item()
    assert not batch.inputs["slides"].mask.any()
    assert not batch.inputs["slides"].features.any()


def test_padding_is_zero_after_scaling(data):
    bags = data.pad([np.ones((2, 24), np.float32), np.ones((5, 24), np.float32)])
    assert bags.mask.sum(1).tolist() == [2, 5]
    assert not bags.features[~bags.mask].any()
    torch.testing.assert_close(bags.features[0, :2], bags.features[1, :2])


def test_patients_without_patches_have_one_masked_patch(data):
    bags = data.pad([np.zeros((0, 24), np.float32)])
    assert (bags.features.shape, bags.mask.tolist()) == ((1, 1, 24), [[False]])


@pytest.mark.parametrize(("room", "kept"), [(10**6, True), (0, False)])
def test_a_padded_batch_is_kept_while_there_is_room(cohort, plan, room, kept):
    data = PatientData(cohort, plan, max_patches=1000, bags=cohort.bags(Room(room)))
    one, other = (data.batch([0, 1], data.keys([0, 1], DRAW)).inputs["slides"] for _ in range(2))
    assert (one is other) == kept
    torch.testing.assert_close(one.features, other.features)


def test_a_bag_is_read_whole_in_chunks(data):
    row = max(range(24), key=data.bags.patches)
    chunks = list(data.chunks(row, 5))
    assert [len(chunk) for chunk in chunks[:-1]] == [5] * (len(chunks) - 1)
    assert sum(map(len, chunks)) == data.bags.patches(row)


@pytest.mark.parametrize("modality", ["slides", "omics"])
def test_a_plan_of_one_modality_reads_one(cohort, plan, modality):
    data = PatientData(
        cohort, type(plan)(**{**vars(plan), "modalities": (modality,)}), max_patches=8
    )
    batch = data.batch([0, 1], data.keys([0, 1], DRAW))
    assert list(batch.inputs) == list(batch.present) == [modality]


def test_times_and_events_are_the_cohorts(data, cohort):
    assert len(data) == 24
    np.testing.assert_array_equal(data.time.numpy(), cohort.time)
    np.testing.assert_array_equal(data.event.numpy(), cohort.event)


def test_bags_say_where_patches_lie_only_if_asked(cohort, plan, monkeypatch):
    data = PatientData(cohort, plan, max_patches=4, ordered=True)
    row = next(r for r in ROWS if data.bags.patches(r) > 4)
    number = data.bags.patches(row)
    monkeypatch.setattr(data.bags, "ranks", lambda _: np.arange(number)[::-1] + 100)
    drawn = data.bags.draw(row, 4, generator(7, "patches"))
    step = data.batch([row], [7]).inputs["slides"]
    assert step.rank.tolist() == [[100 + number - 1 - place for place in drawn]]
    whole = torch.cat([bags.rank for bags in data.whole(row, 3)], 1)
    assert whole.tolist() == [[100 + number - 1 - place for place in range(number)]]
    plain = PatientData(cohort, plan, max_patches=4)
    assert plain.batch([row], [7]).inputs["slides"].rank is None


def test_whole_bags_are_the_chunks_scaled_and_one_empty_bag_where_there_is_none(data, cohort):
    row = next(r for r in ROWS if data.bags.patches(r) > 5)
    found = torch.cat([bags.features for bags in data.whole(row, 5)], 1)
    chunks = np.concatenate(list(data.chunks(row, 10**6)))
    np.testing.assert_allclose(found[0].numpy(), data.plan.transform_patches(chunks))
    lacking = int(np.flatnonzero(~cohort.has_slides)[0])
    assert [int(bags.mask.sum()) for bags in data.whole(lacking, 5)] == [0]
