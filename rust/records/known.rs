//! What lines say of their query and model, byte for byte, and to which row and column that belongs.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::line::Line;

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
    models: HashMap<Box<[u8]>, Option<u32>>,
    /// Of the line before: mostly this line has the same.
    last_head: Vec<u8>,
    last_row: Option<u32>,
    head: Vec<u8>,
    /// Of the line that was refused last; `head` is its head.
    model: Option<Box<[u8]>>,
}

impl Known {
    /// Row and column of a line; `None` where either is new, and then this line can be learnt.
    pub(super) fn find(&mut self, line: &Line<'_>) -> Option<(u32, Option<u32>)> {
        self.head.clear();
        for part in line.head {
            self.head.extend_from_slice(part.unwrap_or_default());
            self.head.push(0); // stands in no plain line
        }
        let column = self.models.get(line.model).copied();
        let row = self.row();
        if let (Some(row), Some(column)) = (row, column) {
            return Some((row, column));
        }
        self.model = Some(line.model.into());
        None
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

    pub(super) fn learn(&mut self, row: u32, column: Option<u32>) -> bool {
        let Some(model) = self.model.take() else { return false };
        self.models.entry(model).or_insert(column);
        let hash = self.hasher.hash_one(self.head.as_slice());
        if let std::collections::hash_map::Entry::Vacant(free) = self.heads.entry(hash) {
            free.insert(Head { start: self.texts.len(), length: self.head.len(), row });
            self.texts.extend_from_slice(&self.head);
            self.last_row = Some(row); // of `last_head`, which is the same
        }
        true
    }
}
