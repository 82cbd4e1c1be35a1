//! Lists of numbers: their text was found, here it becomes numbers, by all threads together.

use rayon::prelude::*;

use super::number::{Number, read_number};
use crate::{Result, threads};

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
