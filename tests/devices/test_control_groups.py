"""The memory that control groups leave, on trees of files such as the kernel shows."""

import math

import pytest

from gdlab.devices.control_groups import free_bytes_in_groups


def written(root, group, files, path):
    """A tree of files in which this process is in a group, and its folders tell of memory."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(group)
    for name, content in files.items():
        file = root / "sys/fs/cgroup" / path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


def version_2(root, files, group="0::/user/job\n"):
    return written(root, group, files, "")


def version_1(root, files):
    return written(root, "5:cpu,cpuacct:/\n4:memory:/docker/job\n0::/\n", files, "memory")


def test_the_group_of_the_process_is_read_and_not_the_root_alone(tmp_path):
    files = {
        "user/memory.max": "max\n",
        "user/memory.current": "700\n",
        "user/job/memory.max": "1000\n",
        "user/job/memory.current": "600\n",
        "user/other/memory.max": "10\n",
        "user/other/memory.current": "9\n",
    }
    assert free_bytes_in_groups(version_2(tmp_path, files)) == 400


def test_the_tightest_group_around_it_decides(tmp_path):
    files = {
        "user/memory.max": "900\n",
        "user/memory.current": "800\n",
        "user/job/memory.max": "1000\n",
        "user/job/memory.current": "600\n",
    }
    assert free_bytes_in_groups(version_2(tmp_path, files)) == 100


def test_a_container_that_sees_its_own_group_as_the_root_is_read_there(tmp_path):
    files = {"memory.max": "1000\n", "memory.current": "600\n"}
    assert free_bytes_in_groups(version_2(tmp_path, files)) == 400


def test_files_that_are_only_cached_do_not_count_as_used(tmp_path):
    files = {
        "memory.max": "1000\n",
        "memory.current": "600\n",
        "memory.stat": "anon 300\nfile 250\nsock 7\ninactive_file 200\nactive_file 50\n",
    }
    assert free_bytes_in_groups(version_2(tmp_path, files, "0::/\n")) == 600


def test_version_1_is_read_in_the_group_of_its_controller_of_memory(tmp_path):
    files = {
        "memory.limit_in_bytes": "9223372036854771712\n",  # as without a limit
        "memory.usage_in_bytes": "5000\n",
        "docker/job/memory.limit_in_bytes": "1000\n",
        "docker/job/memory.usage_in_bytes": "600\n",
        "docker/job/memory.stat": "inactive_file 1\ntotal_inactive_file 50\n",
    }
    assert free_bytes_in_groups(version_1(tmp_path, files)) == 450


def test_a_group_that_is_over_its_limit_leaves_nothing(tmp_path):
    files = {"memory.max": "1000\n", "memory.current": "1200\n"}
    assert free_bytes_in_groups(version_2(tmp_path, files)) == 0


@pytest.mark.parametrize("group", ["0::/user/job\n", "3:cpu:/\n", ""])
def test_without_a_limit_there_is_no_bound(tmp_path, group):
    files = {"memory.max": "max\n", "memory.current": "600\n"}
    assert free_bytes_in_groups(version_2(tmp_path, files, group)) == math.inf


def test_without_control_groups_there_is_no_bound(tmp_path):
    assert free_bytes_in_groups(tmp_path) == math.inf
