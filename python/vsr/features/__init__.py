"""What selectors read of a query: the feature vector, and the classifier of its category."""

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
