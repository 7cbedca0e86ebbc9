"""Libraries that no task needs are imported on their first use."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.upstream

START = """
import sys
from hstmosaic.tasks.deferred_imports import defer_unneeded_imports
defer_unneeded_imports()
import hstmosaic.tasks.execute
"""
UNNEEDED = ("sklearn", "pandas", "astroquery", "pyvo", "matplotlib.figure", "scipy.stats.distributions")
USES = """
from drizzlepac.haputils import astroquery_utils, cell_utils, poller_utils
import numpy as np
assert len(set(poller_utils.KMeans(n_clusters=2, random_state=0).fit(np.array([[1], [2], [90]])).labels_)) == 2
assert cell_utils.plt.figure(figsize=(2, 1)).get_size_inches().tolist() == [2, 1]
assert callable(astroquery_utils.Observations.query_criteria)
from drizzlepac.haputils import astrometric_utils
assert astrometric_utils.pearsonr([1.0, 2.0, 4.0], [1.0, 3.0, 5.0]).statistic > 0.9
assert astrometric_utils.st.norm.cdf(0.0) == 0.5
import sklearn.cluster, matplotlib.pyplot
assert sklearn.cluster.KMeans.__module__.startswith("sklearn.")
"""


def run_python(code):
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


def test_tasks_are_imported_without_them():
    assert run_python(f"{START}\nprint(*[name for name in {UNNEEDED} if name in sys.modules])") == []


def test_they_work_when_they_are_used():
    assert run_python(START + USES) == []
