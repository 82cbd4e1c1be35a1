//! Texts to token numbers: the model's own tokenizer, its prompt and its limit.

use std::path::Path;

use rayon::prelude::*;
use tokenizers::Tokenizer;
use tokenizers::tokenizer::{Encoding, PostProcessor};

use super::files::{invalid, read_small};
use crate::Result;
use crate::error::{Cause, EmbeddingError};

/// The texts of one call, cut into tokens.
#[derive(Debug, Clone, Default)]
pub struct TokenizedTexts {
    /// Token numbers of each text, special ones included.
    pub ids: Vec<Vec<u32>>,
    /// Which texts were longer than the limit.
    pub truncated: Vec<bool>,
}

/// A tokenizer with the prompt and the limit of one embedder.
pub struct TextTokenizer {
    tokenizer: Tokenizer,
    prompt: String,
    lower_case: bool,
    n_special: usize,
    limit: usize,
    vocabulary: usize,
}

impl TextTokenizer {
    /// Reads `tokenizer.json` of a folder. `vocabulary` is the number of rows of the table that tokens are looked up in.
    ///
    /// # Errors
    /// The file is missing or damaged, or `limit` leaves no room beside the special tokens.
    pub fn read(
        folder: &Path,
        prompt: &str,
        lower_case: bool,
        limit: usize,
        vocabulary: usize,
    ) -> Result<(Self, Vec<u8>)> {
        let path = folder.join("tokenizer.json");
        let bytes = read_small(&path)?;
        let mut tokenizer =
            Tokenizer::from_bytes(&bytes).map_err(|error| invalid(&path, format!("no usable tokenizer: {error}")))?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| invalid(&path, error.to_string()))?;
        let n_special = tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
        if limit <= n_special {
            return Err(EmbeddingError::NoRoom { limit, n_special }.into());
        }
        Ok((Self { tokenizer, prompt: prompt.to_owned(), lower_case, n_special, limit, vocabulary }, bytes))
    }

    /// The longest text in tokens, special ones included.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Cuts texts into tokens, in parallel.
    ///
    /// # Errors
    /// The tokenizer fails on a text, or gives a token that the network does not have.
    pub fn tokenize<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<TokenizedTexts> {
        let cut: Vec<(Vec<u32>, bool)> = texts
            .par_iter()
            .enumerate()
            .map(|(number, text)| self.one(number, text.as_ref()))
            .collect::<Result<_>>()?;
        let (ids, truncated) = cut.into_iter().unzip();
        Ok(TokenizedTexts { ids, truncated })
    }

    fn one(&self, number: usize, text: &str) -> Result<(Vec<u32>, bool)> {
        let failed = |cause: Cause| EmbeddingError::Tokenizer { text: number, cause };
        let whole = if self.prompt.is_empty() && !self.lower_case {
            std::borrow::Cow::Borrowed(text)
        } else {
            let joined = format!("{}{text}", self.prompt);
            std::borrow::Cow::Owned(if self.lower_case { joined.to_lowercase() } else { joined })
        };
        let mut encoding = self.tokenizer.encode_fast(whole, false).map_err(failed)?;
        let room = self.limit - self.n_special;
        let truncated = encoding.len() > room;
        if truncated {
            // A shorter encoding rather than `Encoding::truncate`, which keeps and post-processes all the rest as well.
            encoding = shortened(&encoding, room);
        }
        let encoding = self.tokenizer.post_process(encoding, None, true).map_err(failed)?;
        let ids = encoding.get_ids().to_vec();
        let vocabulary = self.vocabulary;
        if let Some(&token) = ids.iter().find(|&&id| id as usize >= vocabulary) {
            return Err(EmbeddingError::UnknownToken { text: number, token, vocabulary }.into());
        }
        Ok((ids, truncated))
    }
}

/// The first `n` tokens.
#[expect(clippy::default_trait_access, reason = "the map's type is of a crate that nothing else here needs")]
fn shortened(encoding: &Encoding, n: usize) -> Encoding {
    Encoding::new(
        encoding.get_ids()[..n].to_vec(),
        encoding.get_type_ids()[..n].to_vec(),
        encoding.get_tokens()[..n].to_vec(),
        encoding.get_word_ids()[..n].to_vec(),
        encoding.get_offsets()[..n].to_vec(),
        encoding.get_special_tokens_mask()[..n].to_vec(),
        encoding.get_attention_mask()[..n].to_vec(),
        Vec::new(),
        Default::default(),
    )
}
