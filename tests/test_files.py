"""Files that are there as a whole or not at all."""

import pytest

from gdlab.files import written_whole


def test_a_file_takes_the_place_of_the_old_one_only_once_it_is_written(tmp_path):
    path = tmp_path / "x.gif"
    path.write_text("old")
    with written_whole(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
        assert beside.parent == path.parent
        assert beside.suffix == path.suffix
    assert path.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["x.gif"]


def test_a_file_that_is_not_finished_leaves_the_old_one_and_nothing_else(tmp_path):
    path = tmp_path / "x.html"
    path.write_text("old")

    def interrupted():
        with written_whole(path) as beside:
            beside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["x.html"]
