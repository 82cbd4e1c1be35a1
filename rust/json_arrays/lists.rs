//! Lists of numbers: their text was found, here it becomes numbers, by all threads together.

use lexical_core::format::JSON;
use lexical_core::{FromLexicalWithOptions, ParseFloatOptions, parse_partial_with_options};
use rayon::prelude::*;

use crate::{Result, threads};

/// A type that numbers are read as.
pub(super) trait Number:
    FromLexicalWithOptions<Options = ParseFloatOptions> + Copy + Default + Into<f64> + Send + Sync
{
}

impl Number for f32 {}
impl Number for f64 {}

/// A list of numbers that was found and not yet parsed.
pub(super) struct Pending {
    pub(super) array: usize,
    /// Which of the array's innermost lists.
    pub(super) list: usize,
    /// Between the brackets, in the window's kept bytes.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) width: usize,
}

/// What is wrong with a list.
pub(super) enum WrongList {
    Length { found: usize, expected: usize },
    NotANumber { index: usize, shown: String },
}

/// How many items the text between two brackets has, if it has any.
pub(super) fn n_items(text: &[u8]) -> usize {
    memchr::memchr_iter(b',', text).count() + 1
}

/// Parses lists in parallel into the end of `values`; the inner error is the first list that is wrong, and why.
pub(super) fn parse_lists<T: Number>(
    text: &[u8],
    lists: &[Pending],
    values: &mut Vec<T>,
) -> Result<std::result::Result<(), (usize, WrongList)>> {
    let start = values.len();
    values.resize(start + lists.iter().map(|list| list.width).sum::<usize>(), T::default());
    let mut rest = &mut values[start..];
    let mut tasks = Vec::with_capacity(lists.len());
    for list in lists {
        let (own, others) = rest.split_at_mut(list.width);
        tasks.push((list, own));
        rest = others;
    }
    let parse = |(list, out): &mut (&Pending, &mut [T])| {
        parse_list(&text[list.start..list.end], out).map_err(|problem| (list.list, problem))
    };
    // All errors are waited for, so that the one reported does not depend on timing.
    let results: Vec<_> = if text.len() < 1 << 16 {
        tasks.iter_mut().map(parse).collect()
    } else {
        threads::install(|| tasks.par_iter_mut().with_min_len(8).map(parse).collect())?
    };
    Ok(results.into_iter().collect())
}

fn parse_list<T: Number>(text: &[u8], out: &mut [T]) -> std::result::Result<(), WrongList> {
    let mut rest = text;
    let width = out.len();
    for (index, out) in out.iter_mut().enumerate() {
        if index > 0 {
            rest = skip_space(rest);
            rest = match rest.split_first() {
                Some((b',', rest)) => rest,
                None => return Err(WrongList::Length { found: index, expected: width }),
                Some(_) => return Err(not_a_number(index - 1, text)),
            };
        }
        rest = skip_space(rest);
        let Some((value, length)) = read_number(rest) else { return Err(not_a_number(index, text)) };
        *out = value;
        rest = &rest[length..];
    }
    match skip_space(rest).first() {
        None => Ok(()),
        Some(b',') => Err(WrongList::Length { found: n_items(text), expected: width }),
        Some(_) => Err(not_a_number(width.saturating_sub(1), text)),
    }
}

#[inline]
fn skip_space(mut text: &[u8]) -> &[u8] {
    while let Some((b' ' | b'\n' | b'\r' | b'\t', rest)) = text.split_first() {
        text = rest;
    }
    text
}

/// Describes item `index` of a list, cut short.
fn not_a_number(index: usize, text: &[u8]) -> WrongList {
    let item = text.split(|byte| *byte == b',').nth(index).unwrap_or_default();
    let shown = String::from_utf8_lossy(item).trim().chars().take(40).collect();
    WrongList::NotANumber { index, shown }
}

/// Reads the finite number at the start of `bytes`, by JSON's grammar, rounded once, and how many bytes it has.
#[inline]
fn read_number<T: Number>(bytes: &[u8]) -> Option<(T, usize)> {
    const OPTIONS: ParseFloatOptions = ParseFloatOptions::new();
    let read = parse_partial_with_options::<T, JSON>(bytes, &OPTIONS).ok();
    read.filter(|(value, _)| (*value).into().is_finite())
}

#[cfg(test)]
mod tests {
    use super::read_number;

    #[test]
    fn accepts_what_json_accepts() {
        for (text, value) in [("0", 0.0), ("-0.5e1", -5.0), ("12.25E+2", 1225.0), ("1e-2", 0.01)] {
            assert_eq!(read_number::<f64>(text.as_bytes()), Some((value, text.len())));
        }
        for text in ["", "-", "01", ".5", "5.", "+1", "1e", "1e+", "NaN", "Infinity", "1e999", "-x"] {
            assert_eq!(read_number::<f64>(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn rounds_once_to_float32() {
        // Just above the middle of two float32, which float64 cannot tell from the middle itself.
        let text = "1.000000059604644775390626";
        assert_eq!(read_number::<f32>(text.as_bytes()), Some((1.000_000_1, text.len())));
        for text in ["1.00000005960464477539", "1e-45", "3.4028235e38", "1.1754943e-38", "7.0064923e-46"] {
            assert_eq!(read_number::<f32>(text.as_bytes()).map(|read| read.0), text.parse().ok());
        }
        assert_eq!(read_number::<f32>(b"3.5e38"), None);
    }
}
