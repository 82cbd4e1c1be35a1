//! From token vectors to one unit vector a text.

use candle_core::{Device, Result, Tensor};

/// How token vectors become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// The first one.
    Cls,
    /// The last one.
    LastToken,
}

impl Pooling {
    /// The pooling of a name in the model's files.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "mean" => Some(Self::Mean),
            "cls" => Some(Self::Cls),
            "lasttoken" => Some(Self::LastToken),
            _ => None,
        }
    }

    /// The name in the model's files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::LastToken => "lasttoken",
        }
    }

    /// The tokens that alone are needed of packed sequences that begin at `starts`; none where all are.
    #[must_use]
    pub fn rows(self, starts: &[usize]) -> Option<Vec<u32>> {
        let pairs = starts.windows(2);
        match self {
            Self::Mean => None,
            Self::Cls => Some(pairs.map(|pair| pair[0] as u32).collect()),
            Self::LastToken => Some(pairs.map(|pair| (pair[1] - 1) as u32).collect()),
        }
    }

    /// Pools the vectors of the tokens that [`Self::rows`] names into (sequences, width).
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn forward(self, tokens: Tensor, starts: &[usize]) -> Result<Tensor> {
        if self != Self::Mean {
            return Ok(tokens);
        }
        let means = starts.windows(2).map(|pair| tokens.narrow(0, pair[0], pair[1] - pair[0])?.mean_keepdim(0));
        Tensor::cat(&means.collect::<Result<Vec<_>>>()?, 0)
    }
}

/// Keeps the first `dim` columns and gives every row unit length.
///
/// # Errors
/// The number of the first row that has no finite length.
pub fn cut_and_normalise(vectors: &Tensor, dim: usize) -> Result<std::result::Result<Vec<f32>, usize>> {
    let (n, width) = vectors.dims2()?;
    let values = vectors.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
    let mut out = Vec::with_capacity(n * dim);
    for (number, row) in values.chunks_exact(width).enumerate() {
        let row = &row[..dim];
        let length = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        if !length.is_finite() {
            return Ok(Err(number));
        }
        if length > 0.0 {
            out.extend(row.iter().map(|&x| (f64::from(x) / length) as f32));
        } else {
            // Nothing to point anywhere: a fixed direction, as for a text without tokens.
            out.extend((0..dim).map(|i| if i == 0 { 1.0 } else { 0.0 }));
        }
    }
    Ok(Ok(out))
}
