"""Probabilities of counts by chance, as in `scipy.stats`, which takes long to import."""

from __future__ import annotations

from scipy.special import betainc, pdtrc


def poisson_tail(count: int, mean: float) -> float:
    """Return the probability of a count or a larger one, of a Poisson distribution."""
    return float(pdtrc(count - 1, mean)) if count > 0 else 1.0


def binomial_tail(count: int, trials: int, share: float) -> float:
    """Return the probability of a count or a larger one, of a binomial distribution."""
    if count <= 0:
        return 1.0
    return float(betainc(count, trials - count + 1, share)) if count <= trials else 0.0
