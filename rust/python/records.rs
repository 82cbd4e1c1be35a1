//! `RecordTable`.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::records::{Counts, Measured, Piece, Pieces, Table};

const BLOCK_BYTES: usize = 1 << 20;

/// The records of a table of outcomes, and the lines of their file that say something new.
#[pyclass(module = "vsr._core")]
#[derive(Default)]
pub(super) struct RecordTable {
    table: Table,
    pieces: Pieces,
    read: Option<Py<PyAny>>,
}

#[pymethods]
impl RecordTable {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn open(&mut self, read: Py<PyAny>) {
        self.pieces = Pieces::default();
        self.read = Some(read);
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        while let Some(line) = self.next_piece(py)? {
            let line = self.pieces.line(line);
            if !self.table.take(line) {
                return Ok(Some(PyBytes::new(py, line)));
            }
        }
        Ok(None)
    }

    fn read_line<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.table.forget_last();
        let line = self.next_piece(py)?.unwrap_or_default();
        Ok(PyBytes::new(py, self.pieces.line(line)))
    }

    #[pyo3(signature = (row, column, /))]
    fn learn(&mut self, row: u32, column: Option<u32>) -> bool {
        self.table.learn(row, column)
    }

    fn watch(&mut self, names: Vec<String>) {
        self.table.watch(names.into_iter().map(String::into_bytes));
    }

    #[pyo3(signature = (response, /))]
    fn first_response(&mut self, response: &[u8]) {
        self.table.first_response(response);
    }

    fn forget_last(&mut self) {
        self.table.forget_last();
    }

    fn counts<'py>(&self, py: Python<'py>) -> Vec<(Bound<'py, PyBytes>, [usize; 4])> {
        let all = self.table.counts().into_iter();
        let plain = |one: Counts| [one.n_lines, one.n_responses, one.n_same, one.n_unparsed];
        all.map(|(name, one)| (PyBytes::new(py, &name), plain(one))).collect()
    }

    #[pyo3(signature = (row, column, /, *measured))]
    fn add(&mut self, row: u32, column: u32, measured: Measured) {
        self.table.push(row, column, &measured);
    }

    #[getter]
    fn n_taken(&self) -> usize {
        self.table.n_taken()
    }

    #[getter]
    fn n_left_out(&self) -> usize {
        self.table.n_left_out()
    }

    fn __len__(&self) -> usize {
        self.table.n_records()
    }

    fn finish<'py>(
        &mut self,
        py: Python<'py>,
        n_models: usize,
    ) -> (Bound<'py, PyArray1<i64>>, Vec<Bound<'py, PyArray1<f64>>>) {
        let all = self.table.finish(n_models);
        (all.cells.into_pyarray(py), all.measured.into_iter().map(|values| values.into_pyarray(py)).collect())
    }
}

impl RecordTable {
    fn next_piece(&mut self, py: Python<'_>) -> PyResult<Option<std::ops::Range<usize>>> {
        loop {
            match self.pieces.next_line() {
                Piece::Line(line) => return Ok(Some(line)),
                Piece::More if self.pieces.is_whole() => return Ok(None),
                Piece::More => {
                    let Some(read) = &self.read else { return Ok(None) };
                    py.check_signals()?;
                    let block = read.call1(py, (BLOCK_BYTES,))?;
                    self.pieces.feed(block.cast_bound::<PyBytes>(py)?.as_bytes());
                }
            }
        }
    }
}
