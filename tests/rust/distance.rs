use linfa_nn::distance::Distance;
use ndarray::{Array2, s};
use vsr_core::distance::{Euclidean, relative_error, squared_distances, squared_l2};

use crate::data;

fn exact(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum()
}

#[test]
fn stays_within_the_proven_error_at_every_width() {
    for width in (0..100).chain([782, 784, 1023, 4096]) {
        let rows = data::normal(2, width, width as u64);
        let (a, b) = (rows.row(0).to_vec(), rows.row(1).to_vec());
        let exact = exact(&a, &b);
        let difference = (f64::from(squared_l2(&a, &b)) - exact).abs();
        assert!(difference <= f64::from(relative_error(width)) * exact, "width {width}: {difference}");
    }
}

#[test]
fn zeros_behind_a_row_change_no_bit() {
    for width in [1, 7, 8, 31, 33, 782] {
        let rows = data::normal(2, width, 3);
        let (mut a, mut b) = (rows.row(0).to_vec(), rows.row(1).to_vec());
        let bits = squared_l2(&a, &b).to_bits();
        for _ in 0..70 {
            a.push(0.0);
            b.push(0.0);
            assert_eq!(squared_l2(&a, &b).to_bits(), bits);
        }
    }
}

#[test]
fn linfa_gets_the_same_from_views_with_gaps() {
    let rows = data::normal(6, 40, 1);
    let (a, b) = (rows.slice(s![..3, ..;2]), rows.slice(s![3.., ..;2]));
    let spread = Euclidean.rdistance(a, b);
    let (a, b) = (a.as_standard_layout(), b.as_standard_layout());
    let together = Euclidean.rdistance(a.view(), b.view());
    assert!((spread - together).abs() < 1e-4 * together);
    assert!((Euclidean.distance(a.view(), b.view()).powi(2) - together).abs() < 1e-4 * together);
    assert!((Euclidean.dist_to_rdist(Euclidean.rdist_to_dist(together)) - together).abs() < 1e-4 * together);
}

#[test]
fn a_matrix_of_distances_does_not_depend_on_its_shape() {
    let rows = data::features(150, 33, 5, 2);
    let all = squared_distances(rows.view(), rows.view()).unwrap();
    assert_eq!(all, all.t());
    assert!(all.diag().iter().all(|distance| *distance == 0.0));
    for row in [0, 63, 64, 149] {
        let one = squared_distances(rows.slice(s![row..=row, ..]), rows.slice(s![7..90, ..])).unwrap();
        assert_eq!(one.row(0), all.slice(s![row, 7..90]));
    }
    assert_eq!(all[(3, 4)].to_bits(), squared_l2(&rows.row(3).to_vec(), &rows.row(4).to_vec()).to_bits());
    // Large enough for all threads.
    let many = squared_distances(data::unit(700, 48, 1).view(), data::unit(600, 48, 2).view()).unwrap();
    assert!(
        (many[(699, 599)]
            - squared_l2(&data::unit(700, 48, 1).row(699).to_vec(), &data::unit(600, 48, 2).row(599).to_vec()))
        .abs()
            == 0.0
    );
}

#[test]
fn empty_matrices_have_empty_distances() {
    let rows = data::normal(3, 4, 0);
    let none = Array2::zeros((0, 4));
    assert_eq!(squared_distances(rows.view(), none.view()).unwrap().dim(), (3, 0));
    assert_eq!(squared_distances(none.view(), rows.view()).unwrap().dim(), (0, 3));
}

#[test]
fn refuses_other_widths_and_numbers_that_are_none() {
    let mut rows = data::normal(3, 4, 0);
    let error = squared_distances(rows.view(), data::normal(2, 5, 0).view()).unwrap_err().to_string();
    assert_eq!(error, "b: rows of width 5, expected 4");
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        rows[(1, 2)] = value;
        let error = squared_distances(rows.view(), rows.view()).unwrap_err().to_string();
        assert_eq!(error, format!("a: row 1, column 2 is {value}; every value must be a finite number"));
    }
}
