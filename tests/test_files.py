import os

import numpy as np
import pytest

from deepkm.files import digest_at_head, read_attributes, read_hdf5, sha256_of, write_hdf5
from deepkm.report.frames import read_frame


def test_what_is_written_is_read(tmp_path):
    arrays = {"labels": np.arange(5, dtype=np.int32), "history/loss": np.array([1.5, np.nan]), "step": np.float32(3)}
    attributes = {"spec": {"alpha": 1.0, "name": "ä<script>"}, "epoch": 3}
    write_hdf5(tmp_path / "new" / "a.h5", arrays=arrays, attributes=attributes)
    read, read_attributes = read_hdf5(tmp_path / "new" / "a.h5")
    assert read_attributes == attributes
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype
    assert read_hdf5(tmp_path / "new" / "a.h5", "history/")[0].keys() == {"history/loss"}


def test_a_failed_write_leaves_the_old_file(tmp_path):
    write_hdf5(tmp_path / "a.h5", arrays={"x": np.ones(2)}, attributes={})
    with pytest.raises(TypeError):
        write_hdf5(tmp_path / "a.h5", arrays={"x": np.zeros(2), "y": object()}, attributes={})
    assert read_hdf5(tmp_path / "a.h5")[0]["x"].tolist() == [1, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_a_truncated_file_gets_one_clear_line(tmp_path):
    write_hdf5(tmp_path / "a.h5", arrays={"x": np.ones(1000)}, attributes={})
    (tmp_path / "a.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:500])
    with pytest.raises(OSError, match=r"a\.h5: got an unreadable HDF5 file .*; delete it and run again"):
        read_hdf5(tmp_path / "a.h5")


@pytest.mark.parametrize("reader", [read_hdf5, read_attributes, digest_at_head, sha256_of, read_frame])
def test_nobody_waits_for_a_pipe(reader, tmp_path):
    os.mkfifo(tmp_path / "a")
    with pytest.raises(OSError, match="got a pipe, socket or device, expected a file"):
        reader(tmp_path / "a")
