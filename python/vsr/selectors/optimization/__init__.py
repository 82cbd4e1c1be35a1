"""Optimisation by gradients: Adam, early stopping, and Bayesian personalised ranking of preference pairs."""
