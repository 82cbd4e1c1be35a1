//! A file read front to back through a buffer that holds as much as somebody still needs.
//!
//! Reading and not mapping: pages of a mapped file count as memory of the process, and a file that shrinks under a
//! mapping kills it.

use std::fs::File;
use std::io::Read;

use crate::{Error, Result};

/// How much is read at once.
const READ: usize = 4 << 20;

/// The part of a file from some offset on that has been read and is kept.
pub(super) struct Window {
    path: String,
    file: File,
    bytes: Vec<u8>,
    /// Next byte to look at.
    position: usize,
    at_end: bool,
}

impl Window {
    pub(super) fn open(path: &str) -> Result<Self> {
        let file = File::open(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        let mut window = Self { path: path.to_owned(), file, bytes: Vec::new(), position: 0, at_end: false };
        // A byte-order mark is tolerated.
        if window.peek()? == Some(0xef) && window.ensure(3)? && window.bytes.starts_with(b"\xef\xbb\xbf") {
            window.position = 3;
        }
        Ok(window)
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Reads on; false at the end of the file.
    fn more(&mut self) -> Result<bool> {
        if self.at_end {
            return Ok(false);
        }
        let length = self.bytes.len();
        self.bytes.resize(length + READ, 0);
        let mut filled = length;
        while filled < self.bytes.len() {
            match self.file.read(&mut self.bytes[filled..]) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(n) => filled += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::Io { path: self.path.clone(), source }),
            }
        }
        self.bytes.truncate(filled);
        Ok(filled > length)
    }

    /// Whether `n` more bytes are there.
    fn ensure(&mut self, n: usize) -> Result<bool> {
        while self.bytes.len() < self.position + n {
            if !self.more()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The byte at the position; nothing at the end of the file.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<Option<u8>> {
        match self.bytes.get(self.position) {
            Some(byte) => Ok(Some(*byte)),
            None => Ok(if self.more()? { self.bytes.get(self.position).copied() } else { None }),
        }
    }

    /// Goes one byte on.
    pub(super) fn advance(&mut self) {
        self.position += 1;
    }

    /// Where the position is in the kept bytes.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Kept bytes.
    pub(super) fn kept(&self) -> &[u8] {
        &self.bytes
    }

    /// Goes behind the next byte that is one of two, and says which; nothing when the file ends before.
    pub(super) fn skip_past(&mut self, first: u8, second: u8) -> Result<Option<u8>> {
        loop {
            if let Some(found) = memchr::memchr2(first, second, &self.bytes[self.position..]) {
                self.position += found + 1;
                return Ok(Some(self.bytes[self.position - 1]));
            }
            self.position = self.bytes.len();
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    /// Drops everything before the position; positions start again at 0.
    pub(super) fn forget(&mut self) {
        self.bytes.drain(..self.position);
        self.position = 0;
    }
}
