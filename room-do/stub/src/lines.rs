//! What a method streams: a line of JSON for each item, the last says that it is.

use std::marker::PhantomData;

use futures_util::StreamExt as _;
use schemas::http::Problem;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use worker::ByteStream;

use crate::CallError;

/// The items of a stream as they come. Dropping it tells the room to stop.
#[derive(Debug)]
pub struct Lines<T, E> {
    bytes: ByteStream,
    split: Split,
    is_over: bool,
    of: PhantomData<fn() -> (T, E)>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    more: bool,
    error: Option<Problem>,
}

impl<T: DeserializeOwned, E> Lines<T, E> {
    pub(crate) fn new(bytes: ByteStream) -> Lines<T, E> {
        Lines { bytes, split: Split::default(), is_over: false, of: PhantomData }
    }

    /// The next item; `None` at the end.
    ///
    /// # Errors
    /// How the stream failed, or that it was cut off; there is nothing behind it.
    pub async fn next(&mut self) -> Option<Result<T, CallError<E>>> {
        if self.is_over {
            return None;
        }
        let read = self.read().await;
        self.is_over = !matches!(read, Ok(Some(_)));
        read.transpose()
    }

    async fn read(&mut self) -> Result<Option<T>, CallError<E>> {
        loop {
            if let Some(line) = self.split.line() {
                return item(&line);
            }
            let cut_off = || CallError::Unavailable("the answer was cut off".into());
            let chunk = self.bytes.next().await.ok_or_else(cut_off)??;
            self.split.add(&chunk);
        }
    }
}

fn item<T: DeserializeOwned, E>(line: &[u8]) -> Result<Option<T>, CallError<E>> {
    let unreadable = |error: serde_json::Error| CallError::Unreadable(error.to_string());
    let Line { result, more, error } = serde_json::from_slice(line).map_err(unreadable)?;
    match error {
        Some(problem) => Err(CallError::told(problem)),
        // `null` is as good an item as any, and reads as none.
        None if more => {
            serde_json::from_str(result.map_or("null", RawValue::get)).map(Some).map_err(unreadable)
        }
        None => Ok(None),
    }
}

/// Bytes to lines.
#[derive(Debug, Default)]
struct Split {
    unread: Vec<u8>,
    /// So many of the first bytes hold no line break.
    searched: usize,
}

impl Split {
    fn add(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// The next whole line, without its break.
    fn line(&mut self) -> Option<Vec<u8>> {
        let found = self.unread[self.searched..].iter().position(|byte| *byte == b'\n');
        let Some(at) = found.map(|at| at + self.searched) else {
            self.searched = self.unread.len();
            return None;
        };
        let rest = self.unread.split_off(at + 1);
        let mut line = std::mem::replace(&mut self.unread, rest);
        line.pop();
        self.searched = 0;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_call_14_lines_come_whole_however_they_are_cut() {
        let mut split = Split::default();
        let mut lines = Vec::new();
        for piece in ["{\"resu", "lt\":1,\"more\":true}\n  ", "{\"result\":null,\"more\":false}", "\n"] {
            split.add(piece.as_bytes());
            lines.extend(std::iter::from_fn(|| split.line()));
        }
        let items: Vec<Option<u32>> =
            lines.iter().map(|line| item::<u32, ()>(line).expect("a line")).collect();
        assert_eq!(items, [Some(1), None]);
    }

    #[test]
    fn r_call_14_an_item_that_is_null_is_not_the_end() {
        let line = br#"{"result":null,"more":true}"#;
        assert_eq!(item::<Option<u32>, ()>(line).expect("a line"), Some(None));
        assert_eq!(item::<(), ()>(line).expect("a line"), Some(()));
        assert!(item::<u32, ()>(line).is_err(), "no number");
    }

    #[test]
    fn r_call_14_a_last_line_may_be_an_error() {
        let line = br#"{"error":{"type":"about:blank","title":"no","status":503,"code":"unavailable"}}"#;
        assert!(matches!(item::<u32, ()>(line), Err(CallError::Unavailable(_))));
        assert!(matches!(
            item::<u32, ()>(b"{\"result\":\"x\",\"more\":true}"),
            Err(CallError::Unreadable(_))
        ));
    }
}
