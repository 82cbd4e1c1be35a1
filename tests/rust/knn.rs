use ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use rand::Rng;
use vsr_core::distance::squared_l2;
use vsr_core::knn::{Engine, KnnIndex, Neighbours, Parts};
use vsr_core::threads;

use crate::data;

/// Every row measured and sorted.
fn reference(features: ArrayView2<'_, f32>, queries: ArrayView2<'_, f32>, k: usize) -> Neighbours {
    let k = k.min(features.nrows());
    let mut rows = Array2::zeros((queries.nrows(), k));
    let mut squared_distances = Array2::zeros((queries.nrows(), k));
    for (index, query) in queries.outer_iter().enumerate() {
        let measure = |row: ndarray::ArrayView1<'_, f32>| squared_l2(&query.to_vec(), &row.to_vec());
        let mut all: Vec<(f32, u32)> = features.outer_iter().map(measure).zip(0..).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (position, (distance, row)) in all.into_iter().take(k).enumerate() {
            rows[(index, position)] = row;
            squared_distances[(index, position)] = distance;
        }
    }
    Neighbours { rows, squared_distances }
}

/// Both engines, alone and in batches, must give the reference's rows and bits.
fn check(name: &str, features: &Array2<f32>, queries: &Array2<f32>, n_category_columns: usize) {
    for engine in [Engine::Flat, Engine::BallTree] {
        let index = KnnIndex::new(features.view(), n_category_columns, engine).unwrap();
        for k in [1, 2, 5, 17, 100, features.nrows(), features.nrows() + 3] {
            let expected = reference(features.view(), queries.view(), k);
            assert_eq!(index.search(queries.view(), k).unwrap(), expected, "{name}, {engine:?}, k = {k}");
            for query in 0..queries.nrows().min(3) {
                let alone = index.search(queries.slice(s![query..=query, ..]), k).unwrap();
                assert_eq!(alone.rows.row(0), expected.rows.row(query), "{name}, {engine:?}, k = {k}, alone");
            }
        }
    }
}

#[test]
fn embeddings_with_categories() {
    for seed in 0..4 {
        let features = data::features(300, 48, 14, 10 * seed);
        check("one-hots", &features, &data::features(11, 48, 14, 1000 + seed), 14);
        check("one-hots as columns", &features, &data::features(11, 48, 14, 1000 + seed), 0);
    }
}

#[test]
fn a_query_of_its_own_pattern_or_none() {
    let features = data::features(200, 16, 4, 0);
    let mut queries = data::features(3, 16, 4, 1);
    queries.slice_mut(s![0, 16..]).fill(0.0);
    queries.slice_mut(s![1, 16..]).fill(0.25);
    check("soft categories", &features, &queries, 4);
}

#[test]
fn heavy_and_light_one_hots() {
    for weight in [0.0, 1e-3, 0.3, 30.0] {
        let (mut features, mut queries) = (data::features(250, 24, 5, 3), data::features(6, 24, 5, 4));
        features.slice_mut(s![.., 24..]).mapv_inplace(|x| x * weight);
        queries.slice_mut(s![.., 24..]).mapv_inplace(|x| x * weight);
        check("weights", &features, &queries, 5);
    }
}

#[test]
fn rows_that_repeat_are_given_in_order() {
    let once = data::features(40, 12, 3, 5);
    let features = concatenate(Axis(0), &[once.view(), once.view(), once.view()]).unwrap();
    check("repeated", &features, &once.slice(s![..9, ..]).to_owned(), 3);
    let index = KnnIndex::new(features.view(), 3, Engine::Flat).unwrap();
    let found = index.search(features.slice(s![7..8, ..]), 3).unwrap();
    assert_eq!(found.rows.row(0).to_vec(), [7, 47, 87]);
    assert!(found.squared_distances.iter().all(|distance| *distance == 0.0));
}

#[test]
fn constant_features() {
    check("constant", &Array2::from_elem((50, 8), 0.5), &data::normal(3, 8, 0), 0);
    check("zeros", &Array2::zeros((50, 8)), &Array2::zeros((2, 8)), 2);
}

#[test]
fn sparse_columns_that_a_ball_tree_cannot_halve() {
    let mut rng = data::rng(8);
    let mut features = Array2::zeros((400, 60));
    for mut row in features.axis_iter_mut(Axis(0)) {
        for _ in 0..3 {
            row[rng.gen_range(0..60)] = 1.0;
        }
    }
    check("sparse", &features, &features.slice(s![..5, ..]).to_owned(), 0);
}

#[test]
fn clusters_and_long_rows() {
    check("blobs", &data::blobs(400, 20, 7, 1), &data::blobs(8, 20, 7, 1), 0);
    check("wide", &data::unit(120, 1500, 1), &data::unit(4, 1500, 2), 0);
    check("narrow", &data::normal(300, 1, 1), &data::normal(6, 1, 2), 0);
}

#[test]
fn category_columns_alone_and_more_patterns_than_groups() {
    check(
        "categories alone",
        &data::features(90, 1, 6, 1).slice(s![.., 1..]).to_owned(),
        &data::features(4, 1, 6, 2).slice(s![.., 1..]).to_owned(),
        6,
    );
    check("a pattern a row", &data::normal(400, 6, 1), &data::normal(5, 6, 2), 3);
}

#[test]
fn every_scale_that_float32_has() {
    for scale in [1e-38_f32, 1e-25, 1e-20, 1e-10, 1e10, 1e17, 1e19, 1e30, 3e37] {
        let features = data::normal(150, 10, 1) * scale;
        check(&format!("scale {scale}"), &features, &(data::normal(4, 10, 2) * scale), 0);
        check(&format!("scale {scale}, small queries"), &features, &data::normal(4, 10, 2), 0);
        check(&format!("scale {scale}, small rows"), &data::normal(150, 10, 1), &(data::normal(4, 10, 2) * scale), 0);
    }
    let mut mixed = data::normal(200, 10, 3);
    for (index, mut row) in mixed.axis_iter_mut(Axis(0)).enumerate() {
        row *= 10_f32.powi(i32::try_from(index % 30).unwrap() - 15);
    }
    check("mixed scales", &mixed, &mixed.slice(s![..;20, ..]).to_owned(), 0);
}

#[test]
fn far_from_the_origin_nearby_rows_are_told_apart() {
    let features = data::normal(300, 16, 1) * 1e-3 + 100.0;
    check("far from the origin", &features, &features.slice(s![..;60, ..]).to_owned(), 0);
}

#[test]
fn one_row_and_no_query() {
    let features = data::features(1, 5, 2, 0);
    check("one row", &features, &data::features(3, 5, 2, 1), 2);
    let index = KnnIndex::new(features.view(), 2, Engine::Flat).unwrap();
    assert_eq!(index.search(Array2::zeros((0, 7)).view(), 4).unwrap().rows.dim(), (0, 1));
}

#[test]
fn large_batches_use_all_threads_and_give_the_same() {
    // More rows, and rows to be measured, than there are parts that these are put in order by.
    let features = data::features(3000, 64, 14, 1);
    let queries = data::features(130, 64, 14, 2);
    let expected = reference(features.view(), queries.view(), 40);
    for n_category_columns in [0, 14] {
        let index = KnnIndex::new(features.view(), n_category_columns, Engine::Flat).unwrap();
        for n_threads in [1, 3] {
            threads::set_n_threads(n_threads);
            assert_eq!(index.search(queries.view(), 40).unwrap(), expected);
        }
    }
    threads::set_n_threads(0);
}

#[test]
fn an_index_of_stored_parts_is_the_same() {
    for n_category_columns in [0, 4] {
        let (features, queries) = (data::features(300, 48, 4, 0), data::features(9, 48, 4, 1));
        let index = KnnIndex::new(features.view(), n_category_columns, Engine::Flat).unwrap();
        let parts = index.parts().unwrap();
        let stored = KnnIndex::of_parts(&parts).unwrap();
        assert_eq!(stored.features().unwrap(), features);
        assert_eq!(stored.search(queries.view(), 7).unwrap(), index.search(queries.view(), 7).unwrap());
        let again = stored.parts().unwrap();
        assert_eq!((&*again.codes, &*again.scalings), (&*parts.codes, &*parts.scalings));
    }
    let tree = KnnIndex::new(data::normal(300, 8, 0).view(), 0, Engine::BallTree).unwrap();
    assert!(tree.parts().is_none());
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let parts = KnnIndex::new(data::features(20, 5, 3, 0).view(), 3, Engine::Flat).unwrap().parts().unwrap();
    let message = |parts: Parts| KnnIndex::of_parts(&parts).unwrap_err().to_string();
    let order = |change: fn(&mut Vec<u32>)| {
        let mut order = parts.order.to_vec();
        change(&mut order);
        message(Parts { order: order.into(), ..parts.clone() })
    };
    assert!(order(|order| order[0] = order[1]).contains("occurs twice"));
    assert!(order(|order| order[0] = 20).contains("row 20 occurs twice in the order, or there is none"));
    assert!(order(Vec::clear).contains("at least one row"));
    assert!(order(|order| order.truncate(19)).contains("numbers in the rows"));
    assert!(message(Parts { codes: vec![].into(), ..parts.clone() }).contains("0 numbers in the codes"));
    assert!(message(Parts { origin: vec![0.0; 9].into(), ..parts.clone() }).contains("the origin has 9 columns"));
    assert!(message(Parts { units: vec![1.0; 4].into(), ..parts.clone() }).contains("4 numbers in the units"));
    let mut sizes = parts.group_sizes.to_vec();
    sizes.push(0);
    assert!(message(Parts { group_sizes: sizes.into(), ..parts.clone() }).contains("a group is empty"));
}

#[test]
fn says_what_it_is() {
    let index = KnnIndex::new(data::features(9, 5, 2, 0).view(), 2, "auto".parse().unwrap()).unwrap();
    assert_eq!((index.engine().name(), index.n_rows(), index.n_features()), ("flat", 9, 7));
    assert_eq!("ball-tree".parse::<Engine>().unwrap().name(), "ball-tree");
}

#[test]
fn refuses_what_it_cannot_search() {
    let features = data::normal(5, 4, 0);
    let message = |result: vsr_core::Result<KnnIndex>| result.unwrap_err().to_string();
    assert_eq!(
        message(KnnIndex::new(Array2::zeros((0, 4)).view(), 0, Engine::Flat)),
        "features: shape (0, 4), expected at least one row and one column"
    );
    assert_eq!(
        message(KnnIndex::new(features.view(), 5, Engine::Flat)),
        "n_category_columns: 5, but features have 4 columns only"
    );
    assert_eq!(
        "kd-tree".parse::<Engine>().unwrap_err().to_string(),
        "engine: \"kd-tree\" is none of auto, flat, ball-tree"
    );
    let mut bad = features.clone();
    bad[(3, 0)] = f32::NAN;
    assert!(message(KnnIndex::new(bad.view(), 0, Engine::Flat)).starts_with("features: row 3, column 0 is NaN"));
    let index = KnnIndex::new(features.view(), 0, Engine::Flat).unwrap();
    assert_eq!(index.search(features.view(), 0).unwrap_err().to_string(), "k: 0, expected at least 1");
    assert_eq!(
        index.search(data::normal(1, 3, 0).view(), 1).unwrap_err().to_string(),
        "features: rows of width 3, expected 4"
    );
    assert!(index.search(bad.view(), 1).unwrap_err().to_string().starts_with("features: row 3, column 0 is NaN"));
}
