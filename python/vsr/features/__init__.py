"""The feature vector that selectors read, and where a query's category comes from when none is given."""

from vsr.features.classifier import CategoryClassifier
from vsr.features.layout import (
    SplitFeatures,
    as_features,
    build_features,
    categories_of,
    feature_dim,
    join_features,
    split_features,
    with_categories,
)
from vsr.features.missing import FilledCategories, ResolvedCategories, fill_categories, resolve_categories

__all__ = [
    "CategoryClassifier",
    "FilledCategories",
    "ResolvedCategories",
    "SplitFeatures",
    "as_features",
    "build_features",
    "categories_of",
    "feature_dim",
    "fill_categories",
    "join_features",
    "resolve_categories",
    "split_features",
    "with_categories",
]
