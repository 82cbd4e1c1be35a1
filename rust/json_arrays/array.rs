//! One array on its way out of a document.

use super::{NumberArray, Values};

/// An array that is being read.
pub(super) struct Array {
    /// Path with the wildcards filled in; `[]` where items are stacked.
    pub(super) path: String,
    pub(super) stacked: bool,
    pub(super) n_items: usize,
    /// Shape of one item, or of the whole where nothing is stacked; known after the first.
    pub(super) item_shape: Option<Vec<usize>>,
    /// Length of the innermost lists; known after the first.
    pub(super) width: Option<usize>,
    pub(super) n_lists: usize,
    pub(super) values: Values,
}

impl Array {
    pub(super) fn finish(self) -> (String, NumberArray) {
        let mut shape = self.item_shape.unwrap_or_default();
        if self.stacked {
            shape.insert(0, self.n_items);
        }
        let mut values = self.values;
        match &mut values {
            Values::Float32(values) => values.shrink_to_fit(),
            Values::Float64(values) => values.shrink_to_fit(),
        }
        (self.path, NumberArray { shape, values })
    }

    /// Names one innermost list.
    pub(super) fn place_of_list(&self, list: usize) -> String {
        let shape = self.item_shape.as_deref().unwrap_or_default();
        let lists_an_item = shape.iter().take(shape.len().saturating_sub(1)).product::<usize>().max(1);
        if self.stacked {
            self.path.replace("[]", &format!("[{}]", list / lists_an_item))
        } else if shape.len() == 1 {
            self.path.clone()
        } else {
            format!("{}, row {list}", self.path)
        }
    }
}
