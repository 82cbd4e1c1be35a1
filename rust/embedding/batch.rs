//! Several texts as one row of tokens: no padding, so nothing is computed that no text needs.

/// Packed token numbers and where each text begins.
#[derive(Debug, Clone)]
pub struct Batch {
    ids: Vec<u32>,
    starts: Vec<usize>,
}

impl Batch {
    /// Packs texts one after the other; each has at least one token.
    #[must_use]
    pub fn pack<'a>(texts: impl Iterator<Item = &'a [u32]>) -> Self {
        let mut batch = Self { ids: Vec::new(), starts: vec![0] };
        for text in texts {
            batch.ids.extend_from_slice(text);
            batch.starts.push(batch.ids.len());
        }
        batch
    }

    /// How many tokens there are.
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        self.ids.len()
    }

    /// Where each text begins, and the end of the last.
    #[must_use]
    pub fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// The token numbers, (n).
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The place of every token in its own text, (n).
    #[must_use]
    pub fn positions(&self) -> Vec<u32> {
        self.starts.windows(2).flat_map(|pair| 0..(pair[1] - pair[0]) as u32).collect()
    }
}
