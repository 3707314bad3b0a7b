"""Which processes belong to a run."""

import subprocess
import sys
import textwrap

from gmpo_verl.supervisor.process_tree import ProcessTree


def test_children_from_before_the_driver_are_spared() -> None:
    script = textwrap.dedent(
        """
        import subprocess, sys, psutil
        from gmpo_verl.supervisor.prctl import become_subreaper
        from gmpo_verl.supervisor.process_tree import ProcessTree, is_alive

        sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
        before = subprocess.Popen(sleep)
        become_subreaper()
        tree = ProcessTree(foreign=psutil.Process().children())
        driver = subprocess.Popen(sleep, start_new_session=True)
        tree.adopt_driver(driver)
        assert [p.pid for p in tree.descendants()] == [driver.pid]
        assert tree.terminate_all(grace=5) == []
        assert driver.returncode == -15 and is_alive(psutil.Process(before.pid))
        before.kill()
        """
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_without_a_driver_there_is_nothing_to_end() -> None:
    import psutil

    tree = ProcessTree(foreign=psutil.Process().children())
    assert tree.descendants() == []
