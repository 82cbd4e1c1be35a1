use ndarray::{Array1, Array2, ArrayView1, Axis, array, concatenate, s};
use rand::Rng;
use vsr_core::Error;
use vsr_core::stop::Stop;
use vsr_core::svm::{Kernel, KernelMatrix, Machines, SupportVectors, SvmParams, fit_linfa};
use vsr_core::threads;

use crate::data;

const RBF: Kernel = Kernel::Rbf { gamma: 0.8 };
const PARAMS: SvmParams = SvmParams { c: 1.0, tolerance: 1e-3, max_iterations: 1_000_000 };

fn matrix(features: &Array2<f32>, kernel: Kernel) -> KernelMatrix {
    KernelMatrix::new(features.view(), kernel, &Stop::default()).unwrap()
}

fn fit(matrix: &KernelMatrix, quality: &Array2<f64>, params: &SvmParams) -> Machines {
    let rows = data::numbers_to(quality.nrows());
    matrix.fit(rows.view(), quality.view(), None, params, &Stop::default()).unwrap()
}

/// Kernel values in float64.
fn exact_kernel(features: &Array2<f32>, kernel: Kernel) -> Array2<f64> {
    let rows = features.mapv(f64::from);
    Array2::from_shape_fn((rows.nrows(), rows.nrows()), |(i, j)| match kernel {
        Kernel::Rbf { gamma } => (-f64::from(gamma) * (&rows.row(i) - &rows.row(j)).mapv(|x| x * x).sum()).exp(),
        Kernel::Linear => rows.row(i).dot(&rows.row(j)),
    })
}

/// Whether coefficients and bias solve the weighted problem, by the conditions that Karush, Kuhn and Tucker state.
///
/// A coefficient is the difference of a positive example's weight in [0, C q] and a negative one's in [0, C (1 - q)].
/// With `f` the decision: the first is at its bound where f < 1 and 0 where f > 1; the second where f > -1 and f < -1.
fn assert_optimal(
    kernel: &Array2<f64>,
    quality: ArrayView1<'_, f64>,
    coefficients: ArrayView1<'_, f64>,
    bias: f64,
    params: &SvmParams,
) {
    let decisions = kernel.dot(&coefficients) + bias;
    let slack = params.tolerance;
    let mut sum = 0.0;
    for (row, quality) in quality.iter().enumerate() {
        let (coefficient, f) = (coefficients[row], decisions[row]);
        if quality.is_nan() {
            assert_eq!(coefficient, 0.0);
            continue;
        }
        sum += coefficient;
        let (positive, negative) = (params.c * quality, params.c * (1.0 - quality));
        let positive_range = if f < 1.0 - slack {
            (positive, positive)
        } else if f > 1.0 + slack {
            (0.0, 0.0)
        } else {
            (0.0, positive)
        };
        let negative_range = if f > -1.0 + slack {
            (negative, negative)
        } else if f < -1.0 - slack {
            (0.0, 0.0)
        } else {
            (0.0, negative)
        };
        let (least, most) = (positive_range.0 - negative_range.1, positive_range.1 - negative_range.0);
        assert!(
            coefficient >= least - 1e-9 && coefficient <= most + 1e-9,
            "row {row}: {coefficient} outside {least}..{most} at decision {f}"
        );
    }
    assert!(sum.abs() < 1e-9 * params.c * kernel.nrows() as f64, "sum of coefficients {sum}");
}

fn assert_all_optimal(features: &Array2<f32>, kernel: Kernel, quality: &Array2<f64>, params: &SvmParams) {
    let machines = fit(&matrix(features, kernel), quality, params);
    let exact = exact_kernel(features, kernel);
    for model in 0..quality.ncols() {
        assert_optimal(
            &exact,
            quality.column(model),
            machines.coefficients.column(model),
            machines.biases[model],
            params,
        );
    }
}

#[test]
fn solutions_are_optimal() {
    let features = data::features(300, 20, 4, 1);
    let quality = data::outcomes(&features, 3, 2);
    for c in [0.1, 1.0, 30.0] {
        for kernel in [RBF, Kernel::Linear, Kernel::Rbf { gamma: 20.0 }] {
            assert_all_optimal(&features, kernel, &quality, &SvmParams { c, ..PARAMS });
        }
    }
}

#[test]
fn a_fit_that_float32_cannot_finish_ends() {
    let features = data::normal(20, 4, 1) * 300.0;
    let quality = data::outcomes(&data::normal(20, 4, 2), 1, 3);
    let params = SvmParams { c: 1e3, tolerance: 1e-9, max_iterations: usize::MAX };
    let machines = fit(&matrix(&features, Kernel::Linear), &quality, &params);
    assert!(machines.coefficients.iter().chain(&machines.biases).all(|value| value.is_finite()));
}

#[test]
fn solutions_are_optimal_for_grades_and_missing_rows() {
    let features = data::features(250, 10, 3, 3);
    let mut rng = data::rng(4);
    let quality = data::outcomes(&features, 3, 5).mapv(|q| match rng.gen_range(0..10) {
        0..3 => f64::NAN,
        3..7 => rng.gen_range(0.0..1.0),
        _ => q,
    });
    for kernel in [RBF, Kernel::Linear] {
        assert_all_optimal(&features, kernel, &quality, &SvmParams { c: 2.0, ..PARAMS });
    }
}

#[test]
fn solutions_are_optimal_for_repeated_rows_and_one_grade() {
    let features = Array2::from_elem((20, 3), 0.5);
    let quality = Array2::from_shape_fn((20, 2), |(row, model)| if model == 0 { f64::from(row % 3 == 0) } else { 0.4 });
    assert_all_optimal(&features, RBF, &quality, &PARAMS);
    let machines = fit(&matrix(&features, RBF), &quality, &PARAMS);
    // Nothing to tell rows apart: every decision is the side that most of the weight is on.
    let decisions = matrix(&features, RBF).decisions(array![0].view(), data::numbers_to(20).view(), &machines).unwrap();
    assert!(decisions.iter().all(|decision| (*decision + 1.0).abs() < 1e-6), "{decisions}");
}

#[test]
fn both_solvers_decide_alike() {
    let features = data::features(200, 15, 3, 6);
    let mut quality = data::outcomes(&features, 3, 7);
    quality.slice_mut(s![..40, 1]).fill(f64::NAN);
    quality.slice_mut(s![..;3, 2]).fill(0.25);
    let params = SvmParams { tolerance: 1e-4, ..PARAMS };
    for kernel in [RBF, Kernel::Linear] {
        let ours = fit(&matrix(&features, kernel), &quality, &params);
        let linfas = fit_linfa(features.view(), quality.view(), kernel, &params, &Stop::default()).unwrap();
        let queries = data::features(50, 15, 3, 8);
        let decide = |machines: &Machines| {
            SupportVectors::new(features.view(), machines, kernel).unwrap().decisions(queries.view()).unwrap()
        };
        let difference = (decide(&ours) - decide(&linfas)).mapv(f64::abs).into_iter().fold(0.0, f64::max);
        assert!(difference < 1e-3, "{kernel:?}: {difference}");
    }
}

#[test]
fn linfa_refuses_grades_that_copies_cannot_express() {
    let features = data::normal(3, 2, 0);
    let error = fit_linfa(features.view(), array![[0.123], [1.0], [0.0]].view(), RBF, &PARAMS, &Stop::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("shared-gram"), "{error}");
}

#[test]
fn one_class_alone_gives_a_constant() {
    let features = data::normal(6, 3, 1);
    let mut quality = Array2::from_shape_fn((6, 4), |(_, model)| [1.0, 0.0, f64::NAN, 1.0][model]);
    quality[(2, 3)] = f64::NAN;
    let linfas = fit_linfa(features.view(), quality.view(), RBF, &PARAMS, &Stop::default()).unwrap();
    for machines in [fit(&matrix(&features, RBF), &quality, &PARAMS), linfas] {
        assert_eq!(machines.biases.to_vec(), [1.0, -1.0, 0.0, 1.0]);
        assert!(machines.coefficients.iter().all(|coefficient| *coefficient == 0.0));
    }
}

#[test]
fn one_row_fits() {
    let features = data::normal(1, 3, 1);
    let machines = fit(&matrix(&features, RBF), &array![[1.0, 0.3]], &PARAMS);
    assert_eq!(machines.biases[0], 1.0);
    assert!(machines.biases[1].is_finite() && machines.coefficients.iter().all(|c| c.is_finite()));
}

#[test]
fn the_matrix_holds_kernel_values() {
    for n_rows in [1, 5, 127, 128, 129, 300] {
        let features = data::features(n_rows, 30, 4, 9);
        for kernel in [RBF, Kernel::Linear] {
            // Machines with one coefficient of 1 each give the matrix itself.
            let identity = Machines { coefficients: Array2::eye(n_rows), biases: Array1::zeros(n_rows) };
            let rows = data::numbers_to(n_rows);
            let values = matrix(&features, kernel).decisions(rows.view(), rows.view(), &identity).unwrap();
            assert_eq!(values, values.t());
            let difference = (values - exact_kernel(&features, kernel)).mapv(f64::abs).into_iter().fold(0.0, f64::max);
            assert!(difference < 2e-6, "{kernel:?}, {n_rows} rows: {difference}");
        }
    }
}

#[test]
fn a_part_of_a_matrix_is_the_matrix_of_a_part() {
    let features = data::features(120, 12, 3, 10);
    let quality = data::outcomes(&features, 2, 11);
    let rows: Array1<u32> = (0..120).filter(|row| row % 3 != 1).collect();
    let positions: Vec<usize> = rows.iter().map(|row| *row as usize).collect();
    let part = quality.select(Axis(0), &positions);
    let params = SvmParams { tolerance: 1e-5, ..PARAMS };
    let whole = matrix(&features, RBF);
    let by_rows = whole.fit(rows.view(), part.view(), None, &params, &Stop::default()).unwrap();
    let alone = fit(&matrix(&features.select(Axis(0), &positions), RBF), &part, &params);
    let held_out: Array1<u32> = (0..120).filter(|row| row % 3 == 1).collect();
    let by_rows = whole.decisions(held_out.view(), rows.view(), &by_rows).unwrap();
    let alone = whole.decisions(held_out.view(), rows.view(), &alone).unwrap();
    assert!((by_rows - alone).iter().all(|difference| difference.abs() < 1e-3));
}

#[test]
fn a_row_of_weight_three_is_three_rows() {
    let features = data::features(90, 12, 3, 20);
    let quality = data::outcomes(&features, 2, 21);
    let weights = Array1::from_shape_fn(90, |row| if row < 30 { 3.0 } else { 1.0 });
    let params = SvmParams { tolerance: 1e-5, ..PARAMS };
    let whole = matrix(&features, RBF);
    let rows = data::numbers_to(90);
    let weighted = whole.fit(rows.view(), quality.view(), Some(weights.view()), &params, &Stop::default()).unwrap();
    let copied: Array1<u32> = (0..90).flat_map(|row| vec![row; if row < 30 { 3 } else { 1 }]).collect();
    let positions: Vec<usize> = copied.iter().map(|row| *row as usize).collect();
    let of_copies = quality.select(Axis(0), &positions);
    let by_copies = whole.fit(copied.view(), of_copies.view(), None, &params, &Stop::default()).unwrap();
    let decisions = |rows_of_fit: ArrayView1<'_, u32>, machines: &Machines| {
        whole.decisions(rows.view(), rows_of_fit, machines).unwrap()
    };
    let unweighted = decisions(rows.view(), &fit(&whole, &quality, &params));
    let (weighted, by_copies) = (decisions(rows.view(), &weighted), decisions(copied.view(), &by_copies));
    assert!((&weighted - by_copies).iter().all(|difference| difference.abs() < 1e-3));
    assert!((weighted - unweighted).iter().any(|difference| difference.abs() > 0.1));
}

#[test]
fn decisions_are_the_sum_they_are_said_to_be() {
    let features = data::features(150, 20, 3, 12);
    let quality = data::outcomes(&features, 4, 13);
    for kernel in [RBF, Kernel::Linear] {
        let machines = fit(&matrix(&features, kernel), &quality, &PARAMS);
        let vectors = SupportVectors::new(features.view(), &machines, kernel).unwrap();
        let found = vectors.decisions(features.view()).unwrap();
        let expected = exact_kernel(&features, kernel).dot(&machines.coefficients) + &machines.biases;
        assert!((&found - &expected).iter().all(|difference| difference.abs() < 1e-4));
        for row in [0, 1, 77, 149] {
            assert_eq!(vectors.decisions(features.slice(s![row..=row, ..])).unwrap().row(0), found.row(row));
        }
        // Enough of them to use all threads.
        let many = concatenate(Axis(0), &vec![features.view(); 40]).unwrap();
        assert_eq!(vectors.decisions(many.view()).unwrap().slice(s![150..300, ..]), found);
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let features = data::features(200, 20, 3, 14);
    let quality = data::outcomes(&features, 5, 15);
    let first = fit(&matrix(&features, RBF), &quality, &PARAMS);
    for n_threads in [1, 3, 0] {
        threads::set_n_threads(n_threads);
        assert_eq!(fit(&matrix(&features, RBF), &quality, &PARAMS), first);
    }
}

#[test]
fn ends_at_the_iteration_limit_and_when_asked() {
    let features = data::features(100, 20, 3, 16);
    let quality = data::outcomes(&features, 1, 17);
    let machines = fit(&matrix(&features, RBF), &quality, &SvmParams { max_iterations: 3, ..PARAMS });
    assert!(machines.coefficients.iter().filter(|coefficient| **coefficient != 0.0).count() <= 6);
    let stop = Stop::default();
    stop.request();
    assert!(matches!(KernelMatrix::new(features.view(), RBF, &stop), Err(Error::Interrupted)));
    let rows = data::numbers_to(100);
    let stopped = matrix(&features, RBF).fit(rows.view(), quality.view(), None, &PARAMS, &stop);
    assert!(matches!(stopped, Err(Error::Interrupted)));
    let linfas = fit_linfa(features.view(), quality.view(), RBF, &PARAMS, &stop);
    assert!(matches!(linfas, Err(Error::Interrupted)));
}

#[test]
fn refuses_what_does_not_fit() {
    let features = data::normal(4, 3, 0);
    let matrix = matrix(&features, RBF);
    let rows = data::numbers_to(4);
    let message = |quality: Array2<f64>, params: SvmParams| {
        matrix.fit(rows.view(), quality.view(), None, &params, &Stop::default()).unwrap_err().to_string()
    };
    let quality = array![[0.0], [1.0], [0.5], [1.0]];
    assert_eq!(message(quality.clone(), SvmParams { c: 0.0, ..PARAMS }), "c: 0, expected a finite number above 0");
    assert_eq!(
        message(quality.clone(), SvmParams { tolerance: f64::NAN, ..PARAMS }),
        "tolerance: NaN, expected a finite number above 0"
    );
    assert_eq!(message(array![[0.0], [1.0]], PARAMS), "quality: 2 rows, expected one for each of 4");
    assert_eq!(
        message(&quality * 2.0, PARAMS),
        "quality: row 1, column 0 is 2; expected 0 to 1, or NaN where it was not measured"
    );
    let wrong_rows =
        matrix.fit(array![0, 1, 2, 4].view(), quality.view(), None, &PARAMS, &Stop::default()).unwrap_err().to_string();
    assert_eq!(wrong_rows, "rows: 4 is not among the 4 rows of this matrix");
    let weighted = |weights: Array1<f64>| {
        let weights = Some(weights.view());
        matrix.fit(rows.view(), quality.view(), weights, &PARAMS, &Stop::default()).unwrap_err().to_string()
    };
    assert_eq!(weighted(array![1.0, 1.0]), "weights: 2 numbers, expected one for each of 4 rows");
    assert_eq!(weighted(array![1.0, 0.0, 1.0, 1.0]), "weights: 0, expected a finite number above 0");
    let machines = Machines { coefficients: Array2::zeros((3, 2)), biases: Array1::zeros(2) };
    let wrong_shape = matrix.decisions(rows.view(), rows.view(), &machines).unwrap_err().to_string();
    assert_eq!(wrong_shape, "coefficients: shape (3, 2), expected (4, 2) as of fit_rows and biases");
    assert!(SupportVectors::new(features.view(), &machines, RBF).is_err());
    let infinite = Machines { coefficients: Array2::from_elem((4, 2), f64::INFINITY), biases: Array1::zeros(2) };
    assert!(SupportVectors::new(features.view(), &infinite, RBF).is_err());
    assert_eq!(Kernel::named("poly", 1.0).unwrap_err().to_string(), "kernel: \"poly\" is none of rbf, linear");
    assert_eq!(Kernel::named("rbf", -1.0).unwrap_err().to_string(), "gamma: -1, expected a finite number above 0");
    assert_eq!(Kernel::named("linear", -1.0).unwrap(), Kernel::Linear);
    assert!(KernelMatrix::new(Array2::zeros((0, 3)).view(), RBF, &Stop::default()).is_err());
}
