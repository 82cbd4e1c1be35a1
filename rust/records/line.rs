//! One line, if it is plain: one JSON object, valid to the last byte, that says how a call went and nothing unusual.
//!
//! Stricter than any reader behind it: what is accepted here reads there as well, to the same values.

use std::collections::HashSet;

use lexical_core::format::JSON;
use lexical_core::{ParseFloatOptions, parse_with_options};
use memchr::memchr2;

use super::columns::Measured;

/// Brackets inside one another in a field that nobody reads.
const DEEPEST: usize = 32;
const NUMBERS: ParseFloatOptions = ParseFloatOptions::new();

/// What a plain line says, as it stands there.
pub(super) struct Line<'a> {
    /// Query, choices, category, `embedding_id` and group, where they are there: what tells a query from others, and all
    /// that is noted of a query. Behind them ground truth and metric, which only a watch looks at.
    pub(super) head: [Option<&'a [u8]>; 7],
    pub(super) model: &'a [u8],
    pub(super) response: Option<&'a [u8]>,
    pub(super) is_unparsed: bool,
    pub(super) measured: Measured,
}

/// What a field may hold on a plain line.
enum Field {
    /// Anything: it is kept, and understood elsewhere.
    Kept,
    /// Null, or a number from 0 to this.
    Number(f64),
    /// Null or this.
    Empty(&'static [u8]),
    /// Not known here.
    Other,
}

impl<'a> Line<'a> {
    /// Reads a line; `None` where anything about it is unusual, a field included that is not among `names`.
    pub(super) fn parse(line: &'a [u8], names: Option<&HashSet<Vec<u8>>>) -> Option<Self> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Two passes that become vector instructions.
        if line.iter().fold(u8::MAX, |least, &byte| least.min(byte)) < b' ' {
            return None;
        }
        if line.iter().fold(0, |all, &byte| all | byte) >= 0x80 {
            std::str::from_utf8(line).ok()?;
        }
        let mut text = Text { line, at: 0 };
        let mut kept = [None; 10];
        let mut measured = Measured::default();
        let mut seen = 0_u32;
        text.expect(b'{')?;
        loop {
            let name = text.string()?;
            if name.contains(&b'\\') {
                return None; // another spelling of a name that may be a known one
            }
            text.expect(b':')?;
            let value = text.value(DEEPEST)?;
            let (place, field) = field_of(name);
            if !matches!(field, Field::Other) {
                let bit = 1 << place;
                if seen & bit != 0 {
                    return None;
                }
                seen |= bit;
            }
            match field {
                Field::Kept => kept[place] = Some(value),
                _ if value == b"null" => {}
                Field::Number(most) => measured[place - kept.len()] = Some(number_up_to(value, most)?),
                Field::Empty(empty) if value != empty => return None,
                Field::Other if names.is_some_and(|names| !names.contains(name)) => return None,
                Field::Empty(_) | Field::Other => {}
            }
            match text.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        text.space();
        let [model, response, unparsed, head @ ..] = kept;
        // Without a quality something has to be scored, or has failed.
        let is_record = text.at == line.len() && head[0].is_some() && measured[0].is_some();
        let is_unparsed = unparsed == Some(b"true");
        is_record.then_some(Self { head, model: model?, response, is_unparsed, measured })
    }
}

/// Place (of those kept, then of the numbers, then of the others) and kind of a field.
fn field_of(name: &[u8]) -> (usize, Field) {
    match name {
        b"model_name" => (0, Field::Kept),
        b"response" => (1, Field::Kept),
        b"unparsed" => (2, Field::Kept),
        b"query" => (3, Field::Kept),
        b"choices" => (4, Field::Kept),
        b"category" => (5, Field::Kept),
        b"embedding_id" => (6, Field::Kept),
        b"group" => (7, Field::Kept),
        b"ground_truth" => (8, Field::Kept),
        b"metric" => (9, Field::Kept),
        b"performance" => (10, Field::Number(1.0)),
        b"response_time" => (11, Field::Number(1e9)),
        b"cost" => (12, Field::Number(1e6)),
        b"input_tokens" => (13, Field::Number(1e9)),
        b"output_tokens" => (14, Field::Number(1e9)),
        b"time_to_first_token" => (15, Field::Number(1e9)),
        b"error" => (16, Field::Empty(b"\"\"")),
        b"unscored" => (17, Field::Empty(b"false")),
        b"is_judged" => (18, Field::Empty(b"false")),
        b"judged" => (19, Field::Empty(b"null")),
        b"probability" => (20, Field::Empty(b"null")),
        b"messages" => (21, Field::Empty(b"null")),
        _ => (0, Field::Other),
    }
}

/// A number without a sign, and without an exponent that could leave the range of floats.
fn number_up_to(value: &[u8], most: f64) -> Option<f64> {
    if !value[0].is_ascii_digit() || value.len() > 24 {
        return None;
    }
    number(value).filter(|number| *number <= most)
}

fn number(value: &[u8]) -> Option<f64> {
    parse_with_options::<f64, JSON>(value, &NUMBERS).ok()
}

struct Text<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Text<'a> {
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    /// Passes over spaces; a tab makes a line unusual already.
    fn space(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    /// The next sign after spaces.
    fn next(&mut self) -> Option<u8> {
        self.space();
        self.at += 1;
        self.line.get(self.at - 1).copied()
    }

    fn expect(&mut self, sign: u8) -> Option<()> {
        (self.next()? == sign).then_some(())
    }

    /// What stands between quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            self.at += memchr2(b'"', b'\\', self.line.get(self.at..)?)?;
            if self.line[self.at] == b'"' {
                self.at += 1;
                return Some(&self.line[start..self.at - 1]);
            }
            match self.line.get(self.at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
                b'u' => {
                    let digits = self.line.get(self.at + 2..self.at + 6)?;
                    // Halves of surrogate pairs may be alone, and readers differ on what that is.
                    if !digits.iter().all(u8::is_ascii_hexdigit) || (digits[0] | 0x20 == b'd' && digits[1] >= b'8') {
                        return None;
                    }
                    self.at += 6;
                }
                _ => return None,
            }
        }
    }

    /// A value as it stands there.
    fn value(&mut self, deepest: usize) -> Option<&'a [u8]> {
        self.space();
        let start = self.at;
        match self.peek()? {
            b'"' => {
                self.string()?;
            }
            b'{' => self.items(b'}', deepest)?,
            b'[' => self.items(b']', deepest)?,
            _ => {
                let length = self.line[start..].iter().position(|sign| matches!(sign, b',' | b'}' | b']' | b' '))?;
                self.at += length;
                let word = &self.line[start..self.at];
                if !matches!(word, b"null" | b"true" | b"false") {
                    number(word).filter(|number| number.is_finite())?;
                }
            }
        }
        Some(&self.line[start..self.at])
    }

    /// The items of an array or object whose bracket comes next.
    fn items(&mut self, end: u8, deepest: usize) -> Option<()> {
        let deepest = deepest.checked_sub(1)?;
        self.at += 1;
        self.space();
        if self.peek()? == end {
            self.at += 1;
            return Some(());
        }
        loop {
            if end == b'}' {
                self.string()?;
                self.expect(b':')?;
            }
            self.value(deepest)?;
            match self.next()? {
                b',' => {}
                sign => return (sign == end).then_some(()),
            }
        }
    }
}
