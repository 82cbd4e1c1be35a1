"""The feature vector that selectors read, and where a query's category comes from when none is given."""

from vsr.features.classifier import CategoryClassifier, FilledCategories, fill_categories
from vsr.features.layout import (
    SplitFeatures,
    as_features,
    build_features,
    feature_dim,
    join_features,
    resolve_categories,
    split_features,
)

__all__ = [
    "CategoryClassifier",
    "FilledCategories",
    "SplitFeatures",
    "as_features",
    "build_features",
    "feature_dim",
    "fill_categories",
    "join_features",
    "resolve_categories",
    "split_features",
]
