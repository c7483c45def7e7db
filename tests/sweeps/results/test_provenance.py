"""The git revision that a result names is what git says."""

import re
import subprocess

import pytest

from gdlab.sweeps.results.provenance import git_revision, provenance


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    (tmp_path / "file").write_text("one")
    for arguments in (("init", "-q"), ("add", "file"), (*identity, "commit", "-qm", "One")):
        subprocess.run(["git", *arguments], check=True)
    return tmp_path


def test_the_revision_is_that_of_the_current_directory(repository):
    head = subprocess.run(["git", "log", "-1", "--format=%H"], capture_output=True, text=True)
    assert provenance()["git_revision"] == head.stdout.strip()


def test_a_changed_file_makes_the_revision_dirty_and_a_new_one_does_not(repository):
    (repository / "new").write_text("two")
    assert re.fullmatch("[0-9a-f]{40}", provenance()["git_revision"])
    (repository / "file").write_text("two")
    git_revision.cache_clear()  # another process
    assert re.fullmatch("[0-9a-f]{40}-dirty", provenance()["git_revision"])


def test_outside_a_repository_and_without_git_there_is_no_revision(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "git_revision" not in provenance()
    monkeypatch.setenv("PATH", str(tmp_path))
    git_revision.cache_clear()
    assert "git_revision" not in provenance()
