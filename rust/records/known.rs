//! What lines say of their query and model, byte for byte, and to which row and column that belongs.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::line::Line;

/// What the lines that were taken say of a model.
#[derive(Clone, Default)]
pub struct Counts {
    /// How many lines.
    pub n_lines: usize,
    /// How many of them have a response.
    pub n_responses: usize,
    /// How many of these are the model's first response again.
    pub n_same: usize,
    /// How many commit to no answer.
    pub n_unparsed: usize,
}

struct Model {
    column: Option<u32>,
    /// The first one that is there.
    response: Vec<u8>,
    counts: Counts,
}

/// What a field holds that says nothing.
fn said(value: Option<&[u8]>) -> Option<&[u8]> {
    value.filter(|value| !matches!(*value, b"null" | b"\"\""))
}

struct Head {
    start: usize,
    length: usize,
    row: u32,
}

/// Compares bytes, never meanings: two spellings of a query are two heads, which somebody else gives the same row.
#[derive(Default)]
pub(super) struct Known {
    hasher: RandomState,
    /// By hash. Of two heads with one hash the second is never learnt: its lines are read by somebody else, all of them.
    heads: HashMap<u64, Head>,
    texts: Vec<u8>,
    models: HashMap<Box<[u8]>, Model>,
    /// Whether somebody counts what models respond, and looks at ground truths and metrics.
    pub(super) is_watched: bool,
    /// Of the line before: mostly this line has the same.
    last_head: Vec<u8>,
    last_row: Option<u32>,
    head: Vec<u8>,
    /// Of the line that was refused last; `head` is its head.
    model: Option<Box<[u8]>>,
    response: Vec<u8>,
}

impl Known {
    /// Row and column of a line; `None` where either is new, and then this line can be learnt.
    pub(super) fn find(&mut self, line: &Line<'_>) -> Option<(u32, Option<u32>)> {
        self.head.clear();
        for part in &line.head[..if self.is_watched { 7 } else { 5 }] {
            self.head.extend_from_slice(part.unwrap_or_default());
            self.head.push(0); // stands in no plain line
        }
        let row = self.row();
        let response = said(line.response);
        let model = self.models.get_mut(line.model);
        // The first response of a model is for others to see.
        let model = model.filter(|model| !self.is_watched || response.is_none() || !model.response.is_empty());
        let (Some(row), Some(model)) = (row, model) else {
            self.model = Some(line.model.into());
            self.response = response.unwrap_or_default().to_vec();
            return None;
        };
        model.counts.n_lines += 1;
        if self.is_watched {
            model.counts.n_responses += usize::from(response.is_some());
            model.counts.n_same += usize::from(response.is_some_and(|response| response == model.response));
            model.counts.n_unparsed += usize::from(line.is_unparsed);
        }
        Some((row, model.column))
    }

    /// What was counted of every model, by its name as it stands in the file.
    pub(super) fn counts(&self) -> Vec<(Vec<u8>, Counts)> {
        self.models.iter().map(|(name, model)| (name.to_vec(), model.counts.clone())).collect()
    }

    /// Frees what is only needed while lines come.
    pub(super) fn forget_heads(&mut self) {
        (self.heads, self.texts, self.last_row) = Default::default();
    }

    fn row(&mut self) -> Option<u32> {
        if self.last_row.is_none() || self.last_head != self.head {
            let known = self.heads.get(&self.hasher.hash_one(self.head.as_slice()));
            let known = known.filter(|head| self.texts[head.start..head.start + head.length] == *self.head);
            self.last_row = known.map(|head| head.row);
            std::mem::swap(&mut self.last_head, &mut self.head);
            self.head.clone_from(&self.last_head);
        }
        self.last_row
    }

    pub(super) fn forget_last(&mut self) {
        self.model = None;
    }

    pub(super) fn first_response(&mut self, response: &[u8]) {
        self.response = response.to_vec();
    }

    pub(super) fn learn(&mut self, row: u32, column: Option<u32>) -> bool {
        let Some(model) = self.model.take() else { return false };
        let new = Model { column, response: Vec::new(), counts: Counts::default() };
        let model = self.models.entry(model).or_insert(new);
        if model.response.is_empty() {
            model.response = std::mem::take(&mut self.response);
        }
        let hash = self.hasher.hash_one(self.head.as_slice());
        if let std::collections::hash_map::Entry::Vacant(free) = self.heads.entry(hash) {
            free.insert(Head { start: self.texts.len(), length: self.head.len(), row });
            self.texts.extend_from_slice(&self.head);
            self.last_row = Some(row); // of `last_head`, which is the same
        }
        true
    }
}
