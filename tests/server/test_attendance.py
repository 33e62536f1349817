from server.attendance import events


def record(number, answered, failed=(), attempts=1):
    told = [{"site": site, "reason": reason} for site, reason in failed]
    return {"round": number, "answered": answered, "failed": told, "attempts": attempts}


def sentences(*records):
    return [event["sentence"] for event in events(records)]


def test_a_site_leaves_once_and_comes_back_once():
    late = [("lyon", "no answer in 300 s")]
    told = sentences(
        record(6, ["lyon", "porto"]), record(7, ["porto"], late), record(8, ["porto"], late),
        record(9, ["lyon", "porto"]), record(10, ["lyon", "porto"]),
    )  # fmt: skip
    assert told == ["lyon left in round 7: no answer in 300 s", "lyon came back in round 9"]


def test_who_leaves_again_is_told_again():
    gone = [("lyon", "its SuperNode is not connected")]
    told = sentences(record(1, [], gone), record(2, ["lyon"]), record(3, [], gone))
    assert [line.split(":")[0] for line in told] == [
        "lyon left in round 1", "lyon came back in round 2", "lyon left in round 3",
    ]  # fmt: skip


def test_a_round_that_was_asked_again_is_told():
    (event,) = events([record(4, ["lyon"], attempts=3)])
    assert event == {
        "round": 4, "site": None, "kind": "asked-again",
        "sentence": "round 4 was asked 3 times: too few answered at first",
    }  # fmt: skip


def test_nothing_is_told_of_rounds_that_everybody_answered():
    assert events([record(0, [], attempts=0), record(1, ["lyon"])]) == []
