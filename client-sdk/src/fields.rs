//! What the driver writes (`client-sdk/ts/src/core.ts`): fields one after another, each in its place.
//!
//! ```text
//! number: f64, little endian; NaN for none
//! blob:   u8 kind (0 none, 1 text, 2 bytes) · u32 length, little endian · the bytes; none ends behind its kind
//! list:   number of blobs · the blobs
//! ```
//! Both sides are built together: whatever does not fit is a fault of ours, and traps.

use alloc::{string::String, vec::Vec};

use schemas::{Payload, payload::JsonText};

/// An argument is not of its shape: a sentence that says which.
pub(crate) type Wrong = &'static str;

/// Fields not yet read.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

enum Blob<'a> {
    None,
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_first_chunk().expect("the driver writes each field");
        self.0 = rest;
        *taken
    }

    fn blob(&mut self) -> Blob<'a> {
        let [kind] = self.take();
        if kind == 0 {
            return Blob::None;
        }
        let length = u32::from_le_bytes(self.take()) as usize;
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        match kind {
            1 => Blob::Text(str::from_utf8(bytes).expect("TextEncoder writes UTF-8")),
            _ => Blob::Bytes(bytes),
        }
    }

    /// A fraction is cut off; what is negative is 0.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    pub(crate) fn number(&mut self) -> Option<u64> {
        let number = self.float();
        (!number.is_nan()).then_some(number as u64)
    }

    pub(crate) fn float(&mut self) -> f64 {
        f64::from_le_bytes(self.take())
    }

    pub(crate) fn truth(&mut self) -> bool {
        self.number() == Some(1)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        match self.blob() {
            Blob::Text(text) => Some(text),
            Blob::None | Blob::Bytes(_) => None,
        }
    }

    pub(crate) fn string(&mut self) -> Option<String> {
        self.text().map(String::from)
    }

    pub(crate) fn strings(&mut self) -> Vec<String> {
        let mut strings = Vec::new();
        for _ in 0..self.number().unwrap_or(0) {
            strings.extend(self.string());
        }
        strings
    }

    /// A list of ids of one kind.
    pub(crate) fn all<T>(&mut self, parse: fn(&str) -> Option<T>, shape: Wrong) -> Result<Vec<T>, Wrong> {
        let mut all = Vec::new();
        for _ in 0..self.number().unwrap_or(0) {
            all.push(self.text().and_then(parse).ok_or(shape)?);
        }
        Ok(all)
    }

    pub(crate) fn payload(&mut self) -> Result<Option<Payload>, Wrong> {
        match self.blob() {
            Blob::None => Ok(None),
            Blob::Bytes(bytes) => Ok(Some(Payload::Bytes(bytes.into()))),
            Blob::Text(text) => match JsonText::check(text.into()) {
                Ok(text) => Ok(Some(Payload::Json(text))),
                Err(_) => Err("data nests deeper than 64"),
            },
        }
    }
}
