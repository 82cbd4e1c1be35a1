//! One pass over a document: arrays that were asked for are parsed here, everything else is copied.

use super::array::Array;
use super::lists::{Pending, WrongList, n_items, parse_lists};
use super::pattern::{self, Pattern, Place};
use super::window::Window;
use super::{NumberArray, Precision, Values};
use crate::error::ArtefactProblem;
use crate::{Error, Result};

/// Objects and lists may be nested this deep; documents of ours need six levels.
const DEEPEST: usize = 64;
/// Text of lists that is collected before it is parsed, by all threads together.
const TEXT_A_ROUND: usize = 8 << 20;

/// Reads the document at `path` and takes out the arrays that `patterns` name.
///
/// A pattern is keys joined by dots; `*` stands for any key or index, one array each, and `[]` after a key stacks the
/// items of its list into one leading axis. Gives the document with `null` in place of these arrays, and the arrays
/// with their paths, in order of appearance. A pattern without a match gives nothing.
///
/// # Errors
/// [`Error::Value`] for a pattern that is none; [`Error::Io`]; [`Error::Artefact`] for a document that is not JSON, is
/// nested too deep or ends too early, and for arrays that are not numbers or not rectangular.
pub fn read(path: &str, patterns: &[(String, Precision)]) -> Result<(String, Vec<(String, NumberArray)>)> {
    let patterns =
        patterns.iter().map(|(text, precision)| Pattern::parse(text, *precision)).collect::<Result<Vec<_>>>()?;
    let mut reader = Reader {
        window: Window::open(path)?,
        patterns: &patterns,
        document: Vec::new(),
        arrays: Vec::new(),
        pending: Vec::new(),
        place: Vec::new(),
    };
    reader.value(&pattern::start(&patterns), 0)?;
    if reader.next()?.is_some() {
        return Err(reader.wrong("more text after its end"));
    }
    reader.parse_pending()?;
    let document = String::from_utf8(reader.document)
        .map_err(|_| Error::Artefact { file: path.to_owned(), problem: ArtefactProblem::NotUtf8 })?;
    Ok((document, reader.arrays.into_iter().map(Array::finish).collect()))
}

/// A step of the place in the document where the reader is.
enum Step {
    Key(String),
    Item { index: usize, stacked: bool },
}

struct Reader<'a> {
    window: Window,
    patterns: &'a [Pattern],
    document: Vec<u8>,
    arrays: Vec<Array>,
    pending: Vec<Pending>,
    place: Vec<Step>,
}

impl Reader<'_> {
    /// The next byte that is not white space, not consumed.
    fn next(&mut self) -> Result<Option<u8>> {
        loop {
            match self.window.peek()? {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.window.advance(),
                byte => return Ok(byte),
            }
        }
    }

    /// Copies one value, or takes it out.
    fn value(&mut self, places: &[Place], depth: usize) -> Result<()> {
        if depth > DEEPEST {
            return Err(self.wrong(&format!("nested deeper than {DEEPEST} levels")));
        }
        self.make_room()?;
        let first = self.next()?;
        if let Some(pattern) = pattern::complete(self.patterns, places) {
            self.document.extend_from_slice(b"null");
            return self.array(pattern, first);
        }
        match first {
            Some(b'{') => self.object(places, depth),
            Some(b'[') => self.list(places, depth),
            Some(b'"') => {
                let string = self.string()?;
                self.document.extend_from_slice(&string);
                Ok(())
            }
            Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => self.literal(),
            found => Err(self.unexpected("a value", found)),
        }
    }

    fn object(&mut self, places: &[Place], depth: usize) -> Result<()> {
        self.copy_byte();
        if self.next()? == Some(b'}') {
            self.copy_byte();
            return Ok(());
        }
        loop {
            match self.next()? {
                Some(b'"') => {}
                found => return Err(self.unexpected("a key in double quotes", found)),
            }
            let raw = self.string()?;
            self.document.extend_from_slice(&raw);
            let key: String =
                serde_json::from_slice(&raw).map_err(|error| self.wrong(&format!("a bad key ({error})")))?;
            match self.next()? {
                Some(b':') => self.copy_byte(),
                found => return Err(self.unexpected("a colon after the key", found)),
            }
            let inside = pattern::into_key(self.patterns, places, &key);
            self.place.push(Step::Key(key));
            self.value(&inside, depth + 1)?;
            self.place.pop();
            match self.next()? {
                Some(b',') => self.copy_byte(),
                Some(b'}') => {
                    self.copy_byte();
                    return Ok(());
                }
                found => return Err(self.unexpected("a comma or the end of the object", found)),
            }
        }
    }

    fn list(&mut self, places: &[Place], depth: usize) -> Result<()> {
        self.copy_byte();
        if self.next()? == Some(b']') {
            self.copy_byte();
            return Ok(());
        }
        let inside = pattern::into_item(self.patterns, places);
        let stacked = inside.iter().any(|place| pattern::stacks(self.patterns, *place));
        let mut index = 0;
        loop {
            self.place.push(Step::Item { index, stacked });
            self.value(&inside, depth + 1)?;
            self.place.pop();
            index += 1;
            match self.next()? {
                Some(b',') => self.copy_byte(),
                Some(b']') => {
                    self.copy_byte();
                    return if stacked { self.check_stack(index) } else { Ok(()) };
                }
                found => return Err(self.unexpected("a comma or the end of the list", found)),
            }
        }
    }

    /// Every item of the list just read has given its part to each array that is stacked from it.
    fn check_stack(&self, n_items: usize) -> Result<()> {
        let prefix = format!("{}[]", self.path());
        match self
            .arrays
            .iter()
            .find(|array| array.stacked && array.path.starts_with(&prefix) && array.n_items != n_items)
        {
            Some(array) => {
                Err(self.failed(ArtefactProblem::Missing { array: array.path.clone(), item: array.n_items, n_items }))
            }
            None => Ok(()),
        }
    }

    /// A string with its quotes, as it stands.
    fn string(&mut self) -> Result<Vec<u8>> {
        let start = self.window.position();
        self.window.advance();
        loop {
            match self.window.skip_past(b'"', b'\\')? {
                Some(b'"') => return Ok(self.window.kept()[start..self.window.position()].to_vec()),
                // Whatever is escaped cannot end the string.
                Some(_) if self.window.peek()?.is_some() => self.window.advance(),
                _ => return Err(self.unexpected("the end of a string", None)),
            }
        }
    }

    /// A number, true, false or null: its characters, judged by whoever parses the document.
    fn literal(&mut self) -> Result<()> {
        while let Some(byte @ (b'0'..=b'9' | b'a'..=b'z' | b'E' | b'.' | b'-' | b'+')) = self.window.peek()? {
            self.document.push(byte);
            self.window.advance();
        }
        Ok(())
    }

    fn copy_byte(&mut self) {
        if let Some(byte) = self.window.kept().get(self.window.position()) {
            self.document.push(*byte);
            self.window.advance();
        }
    }

    /// Finds the lists of one array, or of one item of a stacked one.
    fn array(&mut self, pattern: usize, first: Option<u8>) -> Result<()> {
        if first != Some(b'[') {
            return Err(self.unexpected("a list of numbers", first));
        }
        let path = self.path();
        let stacked_index = self.place.iter().find_map(|step| match step {
            Step::Item { index, stacked: true } => Some(*index),
            _ => None,
        });
        let known = self.arrays.iter().rposition(|array| array.path == path);
        let array = known.unwrap_or_else(|| {
            let values = match self.patterns[pattern].precision {
                Precision::Float32 => Values::Float32(Vec::new()),
                Precision::Float64 => Values::Float64(Vec::new()),
            };
            let stacked = stacked_index.is_some();
            self.arrays.push(Array { path, stacked, n_items: 0, item_shape: None, width: None, n_lists: 0, values });
            self.arrays.len() - 1
        });
        let n_items = self.arrays[array].n_items;
        match stacked_index {
            Some(index) if index > n_items => return Err(self.wrong(&format!("no such array in item {n_items}"))),
            Some(index) if index < n_items => return Err(self.wrong("the same key twice")),
            None if known.is_some() => return Err(self.wrong("the same key twice")),
            _ => {}
        }
        let shape = self.nested_lists(array, 0)?;
        let own = &mut self.arrays[array];
        own.n_items += 1;
        match &own.item_shape {
            None => own.item_shape = Some(shape),
            Some(expected) if *expected == shape => {}
            Some(expected) => {
                let message = format!("shape {shape:?}, expected {expected:?} as in the first item");
                return Err(self.wrong(&message));
            }
        }
        Ok(())
    }

    /// Goes through lists down to lists of numbers and gives their common shape.
    fn nested_lists(&mut self, array: usize, depth: usize) -> Result<Vec<usize>> {
        if depth > DEEPEST {
            return Err(self.wrong(&format!("nested deeper than {DEEPEST} levels")));
        }
        self.window.advance();
        match self.next()? {
            Some(b'[') => {}
            Some(b']') => {
                self.window.advance();
                return Ok(vec![0]);
            }
            _ => return self.list_of_numbers(array),
        }
        let mut common: Option<Vec<usize>> = None;
        let mut count = 0;
        loop {
            match self.next()? {
                Some(b'[') => {}
                found => return Err(self.unexpected("a list, as before it", found)),
            }
            let shape = self.nested_lists(array, depth + 1)?;
            self.make_room()?;
            match &common {
                None => common = Some(shape),
                Some(expected) if *expected == shape => {}
                Some(expected) => {
                    return Err(self.wrong(&format!("ragged: item {count} has shape {shape:?}, expected {expected:?}")));
                }
            }
            count += 1;
            match self.next()? {
                Some(b',') => self.window.advance(),
                Some(b']') => {
                    self.window.advance();
                    let mut shape = common.unwrap_or_default();
                    shape.insert(0, count);
                    return Ok(shape);
                }
                found => return Err(self.unexpected("a comma or the end of the list", found)),
            }
        }
    }

    /// Remembers a list of numbers for later; the first says how many all of the array's must have.
    fn list_of_numbers(&mut self, array: usize) -> Result<Vec<usize>> {
        let start = self.window.position();
        match self.window.skip_past(b']', b'[')? {
            Some(b']') => {}
            Some(_) => return Err(self.wrong("ragged: a list among numbers")),
            None => return Err(self.unexpected("the end of a list of numbers", None)),
        }
        let end = self.window.position() - 1;
        let own = &mut self.arrays[array];
        let text = &self.window.kept()[start..end];
        let width = *own.width.get_or_insert_with(|| n_items(text));
        self.pending.push(Pending { array, list: own.n_lists, start, end, width });
        own.n_lists += 1;
        Ok(vec![width])
    }

    /// Parses what is pending once there is enough of it, and lets go of the text.
    fn make_room(&mut self) -> Result<()> {
        if self.window.position() < TEXT_A_ROUND {
            return Ok(());
        }
        self.parse_pending()?;
        self.window.forget();
        Ok(())
    }

    fn parse_pending(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let text = self.window.kept();
        for lists in pending.chunk_by(|a, b| a.array == b.array) {
            let array = &mut self.arrays[lists[0].array];
            let parsed = match &mut array.values {
                Values::Float32(values) => parse_lists(text, lists, values)?,
                Values::Float64(values) => parse_lists(text, lists, values)?,
            };
            if let Err((list, wrong)) = parsed {
                let list = self.arrays[lists[0].array].place_of_list(list);
                return Err(self.failed(match wrong {
                    WrongList::Length { found, expected } => ArtefactProblem::Length { list, found, expected },
                    WrongList::NotANumber { index, shown } => ArtefactProblem::NotANumber { list, index, shown },
                }));
            }
        }
        Ok(())
    }

    /// Where the reader is, in the form of a pattern with the wildcards filled in.
    fn path(&self) -> String {
        self.write_place(|_| "[]".to_owned())
    }

    fn write_place(&self, stacked_item: impl Fn(usize) -> String) -> String {
        let mut text = String::new();
        for step in &self.place {
            match step {
                Step::Item { index, stacked: true } => text += &stacked_item(*index),
                Step::Key(name) => append_step(&mut text, name),
                Step::Item { index, .. } => append_step(&mut text, &index.to_string()),
            }
        }
        text
    }

    fn wrong(&self, what: &str) -> Error {
        let place = self.write_place(|index| format!("[{index}]"));
        let place = if place.is_empty() { place } else { format!("{place}: ") };
        self.failed(ArtefactProblem::Json { place, problem: what.to_owned() })
    }

    fn failed(&self, problem: ArtefactProblem) -> Error {
        Error::Artefact { file: self.window.path().to_owned(), problem }
    }

    fn unexpected(&self, expected: &str, found: Option<u8>) -> Error {
        match found {
            Some(b'"') => self.wrong(&format!("expected {expected}, found a string")),
            Some(byte) => self.wrong(&format!("expected {expected}, found {:?}", char::from(byte))),
            None => self.wrong(&format!("expected {expected}, found the end of the file: it was cut off")),
        }
    }
}

fn append_step(path: &mut String, step: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(step);
}
