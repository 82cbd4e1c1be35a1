"""KNN with k = 1: condensed rows with our own choices as labels. One neighbour leaves no ties for a reader to break.

Readers know no weights of rows. What graded queries weighed in training is in our choices, and so in the labels.
"""

import numpy as np

from vsr.exporting.files import Assignment, FileContent
from vsr.exporting.prototypes import condensed, fit_prototypes


def write_knn(assignment: Assignment) -> FileContent:
    """Condense the queries to the wanted number of rows and label these."""
    form = assignment.form
    rows = form.rows(assignment.features)
    start = condensed(rows, assignment.max_rows, form.n_categories, assignment.generator)
    prototypes = fit_prototypes([start], rows, assignment.teacher.utilities(assignment.features), assignment.generator)
    points = prototypes.points.astype(np.float32)
    labels = [assignment.names[column] for column in prototypes.labels.tolist()]
    fields: dict[str, object] = {"algorithm": "knn", "trained": True, "k": 1}
    if form.is_documented:
        of_category = prototypes.points[:, -form.n_categories :].argmax(axis=1).tolist()
        fields |= {
            "model_names": list(assignment.names),
            "training_records": [
                {"embedding": point, "best_model": label, "category": form.categories[column]}
                for point, label, column in zip(points, labels, of_category, strict=True)
            ],
        }
    else:
        fields |= {
            "embeddings": points,
            "labels": labels,
            "qualities": np.ones(len(labels)),
            "latencies": np.zeros(len(labels), dtype=np.int64),
            "model_names": list(assignment.names),
            "num_samples": len(labels),
            "feature_dim": points.shape[1],
        }
    return FileContent(fields, len(labels))
