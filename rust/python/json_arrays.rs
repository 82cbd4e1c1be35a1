//! `write_json_parts` and `read_json_arrays`.

use std::collections::HashMap;

use ndarray::ArrayD;
use numpy::{IntoPyArray, PyReadonlyArrayDyn};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{ArtefactProblem, ValueError};
use crate::json_arrays::{self, NumberArray, Part, Precision, Values};
use crate::{Error, Result};

/// A piece of a document as Python gives it.
#[derive(FromPyObject)]
pub(super) enum PyPart<'py> {
    Text(String),
    Float32(PyReadonlyArrayDyn<'py, f32>),
    Float64(PyReadonlyArrayDyn<'py, f64>),
    Int64(PyReadonlyArrayDyn<'py, i64>),
}

impl PyPart<'_> {
    fn copied(self) -> Part {
        match self {
            Self::Text(text) => Part::Text(text),
            Self::Float32(array) => Part::Float32(array.as_array().to_owned()),
            Self::Float64(array) => Part::Float64(array.as_array().to_owned()),
            Self::Int64(array) => Part::Int64(array.as_array().to_owned()),
        }
    }
}

/// Write text and arrays, one after the other, to a file.
#[pyfunction]
pub(super) fn write_json_parts(py: Python<'_>, path: String, parts: Vec<PyPart<'_>>) -> Result<()> {
    let parts: Vec<Part> = parts.into_iter().map(PyPart::copied).collect();
    py.detach(|| json_arrays::write(&path, &parts))
}

/// Read a JSON document with some of its arrays as arrays.
#[pyfunction]
pub(super) fn read_json_arrays<'py>(
    py: Python<'py>,
    path: String,
    patterns: HashMap<String, String>,
) -> PyResult<(String, Bound<'py, PyDict>)> {
    let file = path;
    let mut wanted =
        patterns.into_iter().map(|(pattern, name)| Ok((pattern, precision(&name)?))).collect::<Result<Vec<_>>>()?;
    // Dictionaries arrive here in no order; the first of two patterns that fit one array wins.
    wanted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let (document, arrays) = py.detach(|| json_arrays::read(&file, &wanted))?;
    let result = PyDict::new(py);
    for (path, NumberArray { shape, values }) in arrays {
        let wrong_shape = |cause| Error::Artefact {
            file: file.clone(),
            problem: ArtefactProblem::Shape { array: path.clone(), cause },
        };
        match values {
            Values::Float32(values) => {
                let array = ArrayD::from_shape_vec(shape, values).map_err(wrong_shape)?;
                result.set_item(&path, array.into_pyarray(py))?;
            }
            Values::Float64(values) => {
                let array = ArrayD::from_shape_vec(shape, values).map_err(wrong_shape)?;
                result.set_item(&path, array.into_pyarray(py))?;
            }
        }
    }
    Ok((document, result))
}

fn precision(name: &str) -> Result<Precision> {
    match name {
        "float32" => Ok(Precision::Float32),
        "float64" => Ok(Precision::Float64),
        _ => Err(ValueError::Unknown { name: "patterns", found: name.to_owned(), known: "float32, float64" }.into()),
    }
}
