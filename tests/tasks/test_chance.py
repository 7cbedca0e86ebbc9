"""Probabilities of counts are those of scipy."""

import numpy as np
import pytest
from scipy.stats import binom, poisson

from hstmosaic.tasks.chance import binomial_tail, poisson_tail


@pytest.mark.parametrize("mean", [0.0, 1e-6, 0.3, 4.0, 250.0])
def test_poisson_tail(mean):
    counts = range(400)
    expected = poisson.sf(np.array(counts) - 1, mean)
    assert [poisson_tail(count, mean) for count in counts] == expected.tolist()


@pytest.mark.parametrize("trials", [0, 1, 5, 600])
@pytest.mark.parametrize("share", [4 / 180, 10 / 180, 0.5])
def test_binomial_tail(trials, share):
    counts = range(-1, trials + 2)
    expected = binom.sf(np.array(counts) - 1, trials, share)
    np.testing.assert_allclose([binomial_tail(count, trials, share) for count in counts], expected, rtol=1e-12)
