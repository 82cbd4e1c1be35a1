use std::collections::HashSet;

use ndarray::{Array2, ArrayView2, Axis};
use vsr_core::Error;
use vsr_core::kmeans::{Clusters, KMeansParams, fit};
use vsr_core::stop::Stop;
use vsr_core::threads;

use crate::data;

const PARAMS: KMeansParams = KMeansParams { n_clusters: 4, n_starts: 3, max_iterations: 100, tolerance: 1e-4, seed: 7 };

fn clusters(features: &Array2<f32>, params: KMeansParams) -> Clusters {
    fit(features.view(), &params, &Stop::default()).unwrap()
}

/// Labels and inertia that follow from the centroids.
fn assigned(features: ArrayView2<'_, f32>, centroids: ArrayView2<'_, f32>) -> (Vec<u32>, f64) {
    let mut labels = Vec::new();
    let mut inertia = 0.0;
    for row in features.outer_iter() {
        let measure = |centroid: ndarray::ArrayView1<'_, f32>| {
            row.iter().zip(centroid).map(|(x, c)| (f64::from(*x) - f64::from(*c)).powi(2)).sum::<f64>()
        };
        let (label, distance) =
            (0..).zip(centroids.outer_iter().map(measure)).min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        labels.push(label);
        inertia += distance;
    }
    (labels, inertia)
}

#[test]
fn finds_blobs() {
    let features = data::blobs(200, 9, 5, 1);
    let found = clusters(&features, KMeansParams { n_clusters: 5, ..PARAMS });
    let labels: HashSet<u32> = found.labels.iter().take(5).copied().collect();
    assert_eq!(labels.len(), 5);
    assert!((0..200).all(|row| found.labels[row] == found.labels[row % 5]));
    assert!(found.inertia < 200.0 * 9.0 * 0.02);
}

#[test]
fn labels_and_inertia_follow_from_the_centroids_which_are_means() {
    let features = data::features(500, 20, 6, 2);
    let found = clusters(&features, KMeansParams { tolerance: 0.0, max_iterations: 500, ..PARAMS });
    let (labels, inertia) = assigned(features.view(), found.centroids.view());
    assert_eq!(found.labels.to_vec(), labels);
    assert!((found.inertia - inertia).abs() < 1e-5 * inertia);
    for (label, centroid) in (0..).zip(found.centroids.outer_iter()) {
        let own: Vec<usize> = (0..500).filter(|row| labels[*row] == label).collect();
        let mean = features.select(Axis(0), &own).mean_axis(Axis(0)).unwrap();
        assert!((&mean - &centroid).iter().all(|difference| difference.abs() < 1e-4));
    }
}

#[test]
fn more_starts_are_never_worse() {
    let features = data::features(400, 10, 4, 3);
    let inertia = |n_starts| clusters(&features, KMeansParams { n_clusters: 12, n_starts, ..PARAMS }).inertia;
    assert!(inertia(8) <= inertia(2) && inertia(2) <= inertia(1));
}

#[test]
fn a_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let features = data::features(600, 30, 4, 4);
    let first = clusters(&features, PARAMS);
    for n_threads in [1, 3, 0] {
        threads::set_n_threads(n_threads);
        assert_eq!(clusters(&features, PARAMS), first);
    }
    assert_ne!(clusters(&features, KMeansParams { seed: 8, ..PARAMS }).centroids, first.centroids);
}

#[test]
fn more_clusters_than_distinct_rows_leave_some_empty() {
    let twice = Array2::from_shape_fn((6, 3), |(row, _)| f32::from(row % 2 == 0));
    for features in [twice, Array2::zeros((5, 3)), data::normal(1, 3, 0), Array2::from_elem((9, 3), -2.5)] {
        let found = clusters(&features, KMeansParams { n_clusters: 8, ..PARAMS });
        assert_eq!(found.centroids.dim(), (8, 3));
        assert!(found.centroids.iter().all(|value| value.is_finite()));
        assert!(found.inertia < 1e-9, "{}", found.inertia);
        assert_eq!(found.labels.to_vec(), assigned(features.view(), found.centroids.view()).0);
    }
}

#[test]
fn one_cluster_is_the_mean() {
    let features = data::normal(300, 7, 5);
    let found = clusters(&features, KMeansParams { n_clusters: 1, tolerance: 0.0, ..PARAMS });
    let mean = features.mean_axis(Axis(0)).unwrap();
    assert!((&mean - &found.centroids.row(0)).iter().all(|difference| difference.abs() < 1e-4));
}

#[test]
fn stops_when_asked() {
    let stop = Stop::default();
    stop.request();
    let result = fit(data::normal(50, 4, 0).view(), &PARAMS, &stop);
    assert!(matches!(result, Err(Error::Interrupted)));
}

#[test]
fn refuses_what_it_cannot_fit() {
    let features = data::normal(10, 3, 0);
    let message = |features: &Array2<f32>, params: KMeansParams| {
        fit(features.view(), &params, &Stop::default()).unwrap_err().to_string()
    };
    assert_eq!(message(&features, KMeansParams { n_clusters: 0, ..PARAMS }), "n_clusters: 0, expected at least 1");
    assert_eq!(message(&features, KMeansParams { n_starts: 0, ..PARAMS }), "n_starts: 0, expected at least 1");
    assert_eq!(
        message(&features, KMeansParams { max_iterations: 0, ..PARAMS }),
        "max_iterations: 0, expected at least 1"
    );
    assert_eq!(
        message(&features, KMeansParams { tolerance: f64::NAN, ..PARAMS }),
        "tolerance: NaN, expected a finite number, 0 or more"
    );
    assert!(message(&Array2::zeros((0, 3)), PARAMS).starts_with("features: shape (0, 3)"));
    let mut bad = features;
    bad[(9, 2)] = f32::INFINITY;
    assert!(message(&bad, PARAMS).starts_with("features: row 9, column 2 is inf"));
}
