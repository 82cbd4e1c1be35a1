//! `KnnIndex` and `squared_distances`.

use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayDyn};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arrays::{Matrix32, Matrix64, RowMatrix, Stored64, stored};
use crate::{Result, distance, knn};

/// Exact nearest neighbours of feature rows.
#[pyclass(frozen, module = "vsr._core")]
pub(super) struct KnnIndex(knn::KnnIndex);

#[pymethods]
impl KnnIndex {
    #[new]
    #[pyo3(signature = (features, n_category_columns, engine = "auto"))]
    fn new(py: Python<'_>, features: Matrix32<'_>, n_category_columns: usize, engine: &str) -> Result<Self> {
        let engine = engine.parse()?;
        let (padded, width) = (features.padded(), features.width());
        py.detach(|| knn::KnnIndex::of_padded(padded, width, n_category_columns, engine)).map(Self)
    }

    #[staticmethod]
    #[expect(clippy::too_many_arguments, reason = "the arrays of a file, by name")]
    fn of_parts(
        rows: &Bound<'_, PyArrayDyn<f32>>,
        n_features: usize,
        origin: &Bound<'_, PyArrayDyn<f32>>,
        units: &Bound<'_, PyArrayDyn<f32>>,
        group_sizes: &Bound<'_, PyArrayDyn<u32>>,
        order: &Bound<'_, PyArrayDyn<u32>>,
        codes: &Bound<'_, PyArrayDyn<i8>>,
        scalings: &Bound<'_, PyArrayDyn<f32>>,
    ) -> PyResult<Self> {
        let parts = knn::Parts {
            rows: stored(rows)?,
            n_features,
            origin: stored(origin)?,
            units: stored(units)?,
            group_sizes: stored(group_sizes)?,
            order: stored(order)?,
            codes: stored(codes)?,
            scalings: stored(scalings)?,
        };
        Ok(knn::KnnIndex::of_parts(&parts).map(Self)?)
    }

    fn parts<'py>(this: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let (py, index) = (this.py(), &this.get().0);
        let Some(parts) = py.detach(|| index.parts()) else { return Ok(None) };
        // SAFETY: as in `features`.
        let rows = unsafe { PyArray2::borrow_from_array(&index.padded()?, this.clone().into_any()) };
        rows.getattr("flags")?.setattr("writeable", false)?;
        let arrays = PyDict::new(py);
        arrays.set_item("rows", rows)?;
        arrays.set_item("origin", PyArray1::from_slice(py, &parts.origin))?;
        arrays.set_item("units", PyArray1::from_slice(py, &parts.units))?;
        arrays.set_item("group_sizes", PyArray1::from_slice(py, &parts.group_sizes))?;
        arrays.set_item("order", PyArray1::from_slice(py, &parts.order))?;
        arrays.set_item("codes", PyArray1::from_slice(py, &parts.codes))?;
        arrays.set_item("scalings", PyArray1::from_slice(py, &parts.scalings))?;
        Ok(Some(arrays))
    }

    #[getter]
    fn features<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        // SAFETY: the class is frozen and neither moves nor changes its rows; the array keeps it alive.
        let rows = unsafe { PyArray2::borrow_from_array(&this.get().0.features()?, this.clone().into_any()) };
        rows.getattr("flags")?.setattr("writeable", false)?;
        Ok(rows)
    }

    #[getter]
    fn engine(&self) -> &'static str {
        self.0.engine().name()
    }

    #[getter]
    fn n_rows(&self) -> usize {
        self.0.n_rows()
    }

    #[getter]
    fn n_features(&self) -> usize {
        self.0.n_features()
    }

    #[expect(clippy::type_complexity, reason = "two arrays")]
    fn search<'py>(
        &self,
        py: Python<'py>,
        features: Matrix32<'py>,
        k: usize,
    ) -> Result<(Bound<'py, PyArray2<u32>>, Bound<'py, PyArray2<f32>>)> {
        let features = features.copied();
        let found = py.detach(|| self.0.search(features.view(), k))?;
        Ok((found.rows.into_pyarray(py), found.squared_distances.into_pyarray(py)))
    }

    #[expect(clippy::type_complexity, reason = "two arrays")]
    fn neighbours<'py>(
        &self,
        py: Python<'py>,
        features: Matrix32<'py>,
        k: usize,
        sharpness: f64,
    ) -> Result<(Bound<'py, PyArray2<u32>>, Bound<'py, PyArray2<f64>>)> {
        let features = features.copied();
        let (rows, weights) = py.detach(|| {
            let found = self.0.search(features.view(), k)?;
            let weights = knn::weights(features.view(), &found, sharpness);
            Result::Ok((found.rows, weights))
        })?;
        Ok((rows.into_pyarray(py), weights.into_pyarray(py)))
    }
}

/// Add up what neighbours say of every model.
#[pyfunction]
#[expect(clippy::type_complexity, reason = "two arrays")]
pub(super) fn weighted_sums<'py>(
    py: Python<'py>,
    rows: RowMatrix<'py>,
    weights: Matrix64<'py>,
    values: &Bound<'py, PyArrayDyn<f64>>,
) -> PyResult<(Bound<'py, PyArray2<f64>>, Bound<'py, PyArray2<f64>>)> {
    let (rows, weights) = (rows.copied(), weights.copied());
    let values = Stored64::of(values)?;
    let found = py.detach(|| knn::weighted_sums(rows.view(), weights.view(), values.view()?))?;
    Ok((found.sums.into_pyarray(py), found.masses.into_pyarray(py)))
}

/// Squared Euclidean distances between all rows of two matrices.
#[pyfunction]
pub(super) fn squared_distances<'py>(
    py: Python<'py>,
    a: Matrix32<'py>,
    b: Matrix32<'py>,
) -> Result<Bound<'py, PyArray2<f32>>> {
    let (a, b) = (a.copied(), b.copied());
    py.detach(|| distance::squared_distances(a.view(), b.view())).map(|distances| distances.into_pyarray(py))
}
