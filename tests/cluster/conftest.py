"""The Slurm that the jobs of a module are submitted to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import slurm_cluster
from slurm_cluster import SlurmCluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    if why_not := slurm_cluster.missing():
        pytest.skip(why_not)
    with slurm_cluster.slurm_cluster(tmp_path_factory.mktemp("s")) as cluster:
        yield cluster


@pytest.fixture
def folder(cluster: SlurmCluster, request: pytest.FixtureRequest) -> Path:
    """A test's own, on the file system that the nodes share."""
    own = cluster.folder.parent / request.node.name[:20]
    own.mkdir()
    return own
