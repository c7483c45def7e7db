"""Files that are there as a whole or not at all."""

import stat

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


@pytest.mark.parametrize("follow_symlinks", [True, False])
def test_a_link_is_followed_or_replaced(tmp_path, follow_symlinks):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "mine", tmp_path / "x.gif"
    target.write_text("years")
    link.symlink_to(target)
    with written_whole(link, follow_symlinks=follow_symlinks) as beside:
        beside.write_text("new")
        assert beside.suffix == ".gif"
    assert link.is_symlink() is follow_symlinks
    assert link.read_text() == "new"
    assert target.read_text() == ("new" if follow_symlinks else "years")
    assert [each.name for each in target.parent.iterdir()] == ["mine"]


def test_a_file_keeps_the_permissions_of_the_one_that_it_replaces(tmp_path):
    path = tmp_path / "x.gif"
    path.write_text("old")
    path.chmod(0o604)
    with written_whole(path) as beside:
        beside.write_text("new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
