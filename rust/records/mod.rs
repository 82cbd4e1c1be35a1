//! Lines of records that say nothing new, straight into columns of numbers.
//!
//! Most lines of a file of records repeat a query and a model that an earlier line has named, and differ in numbers only.
//! `Table` takes these. Every other line (the first of a query or a model, a failed call, a form that is not plain, a
//! mistake) is handed over as it stands, in order, to somebody who knows all rules and all words for what is wrong, and
//! who then says to which row and column it belonged (`learn`). So nothing is decided here that was not decided there.

use std::collections::HashSet;

mod columns;
mod known;
mod line;
mod pieces;

use columns::Columns;
pub use columns::{Cells, Measured};
pub use known::Counts;
use known::Known;
use line::Line;
pub use pieces::{Piece, Pieces};

/// Longest line; a longer one comes in pieces of one byte more.
pub const MOST_BYTES: usize = 16 << 20;

/// Row (query), column (model) and measurements of every record so far.
#[derive(Default)]
pub struct Table {
    columns: Columns,
    known: Known,
    /// Fields that a watch passes over; all others make a line unusual.
    names: Option<HashSet<Vec<u8>>>,
    n_taken: usize,
    n_left_out: usize,
}

impl Table {
    /// Takes a line in, if it is plain and repeats what was learnt; else gives `false` and waits to be taught.
    pub fn take(&mut self, line: &[u8]) -> bool {
        self.known.forget_last();
        let Some(line) = Line::parse(line, self.names.as_ref()) else { return false };
        let Some((row, column)) = self.known.find(&line) else { return false };
        self.n_taken += 1;
        match column {
            Some(column) => self.columns.push(row, column, &line.measured),
            None => self.n_left_out += 1,
        }
        true
    }

    /// Notes to which row and column (`None`: a model that is left out) the line that was refused last belongs.
    ///
    /// Gives whether there was anything to learn: a line that was not plain teaches nothing.
    pub fn learn(&mut self, row: u32, column: Option<u32>) -> bool {
        self.known.learn(row, column)
    }

    /// From now on counts what the lines taken say of models, and takes only lines whose other fields have these names.
    pub fn watch(&mut self, names: impl IntoIterator<Item = Vec<u8>>) {
        self.known.is_watched = true;
        self.names = Some(names.into_iter().collect());
    }

    /// Notes the first response of the model of the line that was refused last, as it stands in the file.
    pub fn first_response(&mut self, response: &[u8]) {
        self.known.first_response(response);
    }

    /// What was counted of every model that was learnt, by its name as it stands in the file.
    #[must_use]
    pub fn counts(&self) -> Vec<(Vec<u8>, Counts)> {
        self.known.counts()
    }

    /// Takes in a record that somebody else has read.
    pub fn push(&mut self, row: u32, column: u32, measured: &Measured) {
        self.columns.push(row, column, measured);
    }

    /// Forgets the line that was refused last: it is being read in another way.
    pub fn forget_last(&mut self) {
        self.known.forget_last();
    }

    /// How many lines were taken in, those of models that are left out included.
    #[must_use]
    pub fn n_taken(&self) -> usize {
        self.n_taken
    }

    /// How many of these were of models that are left out.
    #[must_use]
    pub fn n_left_out(&self) -> usize {
        self.n_left_out
    }

    /// How many records have a place in the columns.
    #[must_use]
    pub fn n_records(&self) -> usize {
        self.columns.len()
    }

    /// Gives all records away, in order, and forgets the queries that were learnt.
    pub fn finish(&mut self, n_models: usize) -> Cells {
        self.known.forget_heads();
        std::mem::take(&mut self.columns).finish(n_models)
    }
}
