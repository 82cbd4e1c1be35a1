//! Vectors without a model: signed feature hashing of word and character n-grams.
//!
//! Weinberger, Dasgupta, Langford, Smola and Attenberg 2009, "Feature hashing for large scale multitask learning",
//! equation 2: every n-gram adds its weight, with a sign of its own, to one bucket; the signs make collisions cancel
//! on average. Nothing here depends on the machine, the process or a version other than that of the Unicode tables.

use ndarray::{Array2, Axis};
use rayon::prelude::*;
use unicode_normalization::UnicodeNormalization;

use crate::error::ValueError;
use crate::{Result, threads};

/// Lengths of character n-grams.
const CHARACTERS: std::ops::RangeInclusive<usize> = 3..=5;
/// Weights of one word, of two in a row, and of a run of characters.
const WORD_WEIGHT: f64 = 1.0;
const PAIR_WEIGHT: f64 = 0.7;
const CHARACTERS_WEIGHT: f64 = 0.3;
/// Batches with less text than this stay on the calling thread.
const BYTES_WORTH_THREADS: usize = 1 << 15;

/// One unit row of `dim` buckets for every text: (n, dim).
///
/// Texts are compared after Unicode NFC, lower case and with white space collapsed. A text without anything in it gets
/// the first unit vector.
///
/// # Errors
/// [`ValueError`] for `dim` = 0.
pub fn embed<T: AsRef<str> + Sync>(texts: &[T], dim: usize) -> Result<Array2<f32>> {
    if dim == 0 {
        return Err(ValueError::at_least_one("dim").into());
    }
    let mut vectors = Array2::zeros((texts.len(), dim));
    let mut tasks: Vec<_> = texts.iter().zip(vectors.axis_iter_mut(Axis(0))).collect();
    let embed = |(text, out): &mut (&T, ndarray::ArrayViewMut1<'_, f32>)| {
        if let Some(out) = out.as_slice_mut() {
            embed_one(text.as_ref(), out);
        }
    };
    if texts.iter().map(|text| text.as_ref().len()).sum::<usize>() < BYTES_WORTH_THREADS {
        tasks.iter_mut().for_each(embed);
    } else {
        threads::install(|| tasks.par_iter_mut().for_each(embed))?;
    }
    Ok(vectors)
}

fn embed_one(text: &str, out: &mut [f32]) {
    let text = normalised(text);
    let mut sums = vec![0.0_f64; out.len()];
    add(&mut sums, word_hashes(&text), WORD_WEIGHT);
    add(&mut sums, pair_hashes(&text), PAIR_WEIGHT);
    add(&mut sums, character_hashes(&text), CHARACTERS_WEIGHT);
    let norm = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt();
    if norm == 0.0 {
        out[0] = 1.0;
        return;
    }
    for (out, sum) in out.iter_mut().zip(&sums) {
        #[expect(clippy::cast_possible_truncation, reason = "the vector is float32")]
        let value = (sum / norm) as f32;
        *out = value;
    }
}

/// NFC, lower case, one space between words.
fn normalised(text: &str) -> String {
    let folded: String = text.nfc().flat_map(char::to_lowercase).nfc().collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Adds the square root of each n-gram's count, so that the tenth "the" says little.
fn add(sums: &mut [f64], mut hashes: Vec<u64>, weight: f64) {
    // Sorted, so that the order of additions is that of the hashes.
    hashes.sort_unstable();
    for run in hashes.chunk_by(|a, b| a == b) {
        let hash = u128::from(run[0]);
        // The upper bits choose the bucket without the bias of a remainder, the lowest the sign.
        #[expect(clippy::cast_possible_truncation, reason = "below the number of buckets")]
        let bucket = ((hash * sums.len() as u128) >> 64) as usize;
        let sign = if hash & 1 == 0 { 1.0 } else { -1.0 };
        #[expect(clippy::cast_precision_loss, reason = "a count")]
        let count = run.len() as f64;
        sums[bucket] += sign * weight * count.sqrt();
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn word_hashes(text: &str) -> Vec<u64> {
    words(text).map(|word| hash(b'w', [word])).collect()
}

fn pair_hashes(text: &str) -> Vec<u64> {
    words(text).zip(words(text).skip(1)).map(|(first, second)| hash(b'p', [first, " ", second])).collect()
}

/// Runs of characters of the whole text, operators and punctuation with it, between two spaces.
fn character_hashes(text: &str) -> Vec<u64> {
    if text.is_empty() {
        return Vec::new();
    }
    let text = format!(" {text} ");
    let mut ends: Vec<usize> = text.char_indices().map(|(index, _)| index).collect();
    ends.push(text.len());
    let runs = CHARACTERS.flat_map(|length| ends.windows(length + 1).map(move |window| (window[0], window[length])));
    runs.map(|(start, end)| hash(b'c', [&text[start..end]])).collect()
}

/// FNV-1a over a kind and the parts, then the last step of `SplitMix64`, because FNV's upper bits mix poorly.
fn hash<const N: usize>(kind: u8, parts: [&str; N]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in std::iter::once(kind).chain(parts.into_iter().flat_map(str::bytes)) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
