"""From outcomes to selectors: folds, settings chosen out of fold, and the final fits."""
