//! Text and arrays, one after the other, into a file.

use std::fs::File;
use std::io::Write;

use ndarray::ArrayD;
use rayon::prelude::*;

use crate::error::ValueError;
use crate::{Error, Result, threads};

/// Numbers that one task formats.
const NUMBERS_A_TASK: usize = 1 << 16;
/// Tasks whose text is in memory at once.
const TASKS_A_ROUND: usize = 16;

/// A piece of a document.
#[derive(Debug, Clone)]
pub enum Part {
    /// Written as it is.
    Text(String),
    /// Nested lists.
    Float32(ArrayD<f32>),
    /// Nested lists.
    Float64(ArrayD<f64>),
    /// Nested lists.
    Int64(ArrayD<i64>),
}

/// Writes `parts` to the file at `path`, which is made or emptied first.
///
/// Every number is the shortest text that reads back as the same value of its type.
///
/// # Errors
/// [`Error::Value`] for a number that is not finite or an array of rank 0, before anything is written; [`Error::Io`].
pub fn write(path: &str, parts: &[Part]) -> Result<()> {
    for (index, part) in parts.iter().enumerate() {
        check(index, part)?;
    }
    let failed = |source| Error::Io { path: path.to_owned(), source };
    let mut file = File::create(path).map_err(failed)?;
    for part in parts {
        match part {
            Part::Text(text) => file.write_all(text.as_bytes()).map_err(failed)?,
            Part::Float32(array) => write_array(&mut file, array)?.map_err(failed)?,
            Part::Float64(array) => write_array(&mut file, array)?.map_err(failed)?,
            Part::Int64(array) => write_array(&mut file, array)?.map_err(failed)?,
        }
    }
    Ok(())
}

fn check(index: usize, part: &Part) -> Result<()> {
    let (rank, wrong) = match part {
        Part::Text(_) => return Ok(()),
        Part::Float32(array) => (array.ndim(), array.iter().position(|value| !value.is_finite())),
        Part::Float64(array) => (array.ndim(), array.iter().position(|value| !value.is_finite())),
        Part::Int64(array) => (array.ndim(), None),
    };
    if rank == 0 {
        return Err(ValueError::PartRank { index }.into());
    }
    match wrong {
        Some(position) => Err(ValueError::PartNumber { index, position }.into()),
        None => Ok(()),
    }
}

/// A number with a shortest form.
trait Shortest: Copy + Send + Sync {
    fn append(self, text: &mut Vec<u8>);
}

impl Shortest for f32 {
    fn append(self, text: &mut Vec<u8>) {
        text.extend_from_slice(zmij::Buffer::new().format_finite(self).as_bytes());
    }
}

impl Shortest for f64 {
    fn append(self, text: &mut Vec<u8>) {
        text.extend_from_slice(zmij::Buffer::new().format_finite(self).as_bytes());
    }
}

impl Shortest for i64 {
    fn append(self, text: &mut Vec<u8>) {
        text.extend_from_slice(self.to_string().as_bytes());
    }
}

fn write_array<T: Shortest>(file: &mut File, array: &ArrayD<T>) -> Result<std::io::Result<()>> {
    let array = array.as_standard_layout();
    let shape = array.shape();
    let (outer, width) = shape.split_at(shape.len() - 1);
    let (n_rows, width) = (outer.iter().product::<usize>(), width[0]);
    let Some(values) = array.as_slice() else { return Ok(Ok(())) };
    if n_rows == 0 {
        let mut text = Vec::new();
        append_empty(shape, &mut text);
        return Ok(file.write_all(&text));
    }
    let rows_a_task = (NUMBERS_A_TASK / width.max(1)).max(1);
    let starts: Vec<usize> = (0..n_rows).step_by(rows_a_task).collect();
    for round in starts.chunks(TASKS_A_ROUND) {
        let format = |start: &usize| {
            let mut text = Vec::new();
            for row in *start..n_rows.min(start + rows_a_task) {
                append_row(outer, row, &values[row * width..][..width], &mut text);
            }
            text
        };
        let texts: Vec<Vec<u8>> = if starts.len() == 1 {
            round.iter().map(format).collect()
        } else {
            threads::install(|| round.par_iter().map(format).collect())?
        };
        for text in texts {
            if let Err(error) = file.write_all(&text) {
                return Ok(Err(error));
            }
        }
    }
    Ok(Ok(()))
}

/// Appends one innermost list, with the brackets of all lists that begin or end with it.
fn append_row<T: Shortest>(outer: &[usize], row: usize, values: &[T], text: &mut Vec<u8>) {
    // An axis begins a new list wherever the row number is a multiple of the rows below that axis.
    let begins =
        |row: usize| (0..outer.len()).filter(|axis| row.is_multiple_of(outer[*axis..].iter().product())).count();
    if row > 0 {
        text.push(b',');
    }
    text.resize(text.len() + begins(row) + 1, b'[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        value.append(text);
    }
    text.resize(text.len() + begins(row + 1) + 1, b']');
}

/// Lists without a number in them, where an axis before the last has length 0.
fn append_empty(shape: &[usize], text: &mut Vec<u8>) {
    text.push(b'[');
    if let Some((length, inner)) = shape.split_first().filter(|(_, inner)| !inner.is_empty()) {
        for index in 0..*length {
            if index > 0 {
                text.push(b',');
            }
            append_empty(inner, text);
        }
    }
    text.push(b']');
}
