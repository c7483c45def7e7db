"""Files that are there as a whole or not at all."""

import pytest

from gdlab.files import is_leftover, written_whole


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


def test_what_a_kill_leaves_is_known_by_its_name_and_other_files_and_links_are_not(tmp_path):
    killed = written_whole(tmp_path / "x.gif")
    beside = killed.__enter__()
    beside.write_text("half")
    others = [tmp_path / name for name in ("x.gif", ".hidden.gif", ".0123.x.gif", beside.name[1:])]
    for path in others:
        path.write_text("mine")
    link = beside.with_name("." + "0" * 32 + ".x.gif")
    link.symlink_to(others[0])
    assert [path for path in (beside, link, *others) if is_leftover(path)] == [beside]


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path):
    (tmp_path / "mine").write_text("years")
    (tmp_path / "x.gif").symlink_to(tmp_path / "mine")
    with written_whole(tmp_path / "x.gif") as beside:
        beside.write_text("new")
    assert not (tmp_path / "x.gif").is_symlink()
    assert (tmp_path / "mine").read_text() == "years"
