import errno
import io
import os
import stat

import pytest

from fusion.errors import ConfigError
from fusion.new_files import write_new


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_for_its_owner_alone_whatever_the_umask(tmp_path):
    secret, public = tmp_path / "new" / "a.key", tmp_path / "new" / "a.pub"
    before = os.umask(0)
    try:
        write_new({secret: b"s", public: b"p"}, secret=[secret])
    finally:
        os.umask(before)
    assert (mode(secret), mode(public)) == (0o600, 0o644)
    assert (secret.read_bytes(), public.read_bytes()) == (b"s", b"p")


def test_if_one_file_exists_none_is_written(tmp_path):
    (tmp_path / "b").write_bytes(b"old")
    with pytest.raises(ConfigError, match=r"must go to new files, got '.*b', which exists"):
        write_new({tmp_path / "a": b"new", tmp_path / "b": b"new"}, secret=[])
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "b").read_bytes() == b"old"


class Full(io.BytesIO):
    def write(self, _):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_that_cannot_be_filled_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fdopen", lambda number, _: os.close(number) or Full())
    with pytest.raises(OSError, match="No space left"):
        write_new({tmp_path / "a": b"new"}, secret=[])
    assert not (tmp_path / "a").exists()
