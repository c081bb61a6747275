//! Log lines: one JSON object each, on the console.
//!
//! Every line has `level`, `event` and `time`, and names what it concerns: `room` or `directory`, `request_id`,
//! `connection`. A line is given ids, codes, counts and names that were checked. Tokens, payloads, sessions and
//! whatever else a caller wrote have no business here; what errors say is cut.

use std::{error::Error, fmt, panic, panic::PanicHookInfo};

use serde_json::{Map, Value};
use wasm_bindgen::prelude::*;
use worker::{console_error, console_log, console_warn};

use crate::clock;

/// Of an error's text. JavaScript's may be long.
const TEXT_BYTES_MAX: usize = 500;
const CAUSES_MAX: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// As it should be.
    Info,
    /// Someone else was wrong, or failed.
    Warn,
    /// We failed, or something was lost.
    Error,
}

/// A line that [`write`](Line::write) writes.
#[derive(Debug)]
#[must_use = "a line is not there before it is written"]
pub struct Line {
    level: Level,
    fields: Map<String, Value>,
}

/// Something that is as it should be.
pub fn info(event: &'static str) -> Line {
    Line::new(Level::Info, event)
}

/// Someone else was wrong, or failed.
pub fn warn(event: &'static str) -> Line {
    Line::new(Level::Warn, event)
}

/// We failed, or something was lost.
pub fn error(event: &'static str) -> Line {
    Line::new(Level::Error, event)
}

impl Line {
    fn new(level: Level, event: &'static str) -> Line {
        let name = match level {
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        Line { level, fields: Map::new() }.with("level", name).with("event", event)
    }

    /// Adds a field, unless it is null.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Line {
        let value = value.into();
        if !value.is_null() {
            self.fields.insert(name.to_owned(), value);
        }
        self
    }

    /// The request that this belongs to; "" is none.
    pub fn request(self, id: &str) -> Line {
        self.with("request_id", Some(id).filter(|id| !id.is_empty()))
    }

    pub fn message(self, message: impl fmt::Display) -> Line {
        self.with("message", cut(message.to_string()))
    }

    /// What an error says, and what caused it.
    pub fn failed(self, error: &(dyn Error + 'static)) -> Line {
        self.message(error).caused_by(error)
    }

    /// What caused an error, without what it says itself.
    pub fn caused_by(self, error: &(dyn Error + 'static)) -> Line {
        let causes = std::iter::successors(error.source(), |&cause| cause.source());
        let causes: Vec<String> = causes.take(CAUSES_MAX).map(|cause| cut(cause.to_string())).collect();
        self.with("causes", Some(causes).filter(|causes| !causes.is_empty()))
    }

    pub fn write(self) {
        let level = self.level;
        let text = self.at(clock::now());
        match level {
            Level::Info => console_log!("{text}"),
            Level::Warn => console_warn!("{text}"),
            Level::Error => console_error!("{text}"),
        }
    }

    fn at(self, now: u64) -> String {
        Value::Object(self.with("time", now).fields).to_string()
    }
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        let mut end = TEXT_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Called by the shim with the number of a new instance, and that of the one that was lost to a trap.
#[wasm_bindgen(js_name = beginInstance)]
pub fn begin_instance(number: u32, lost: Option<u32>) {
    panic::set_hook(Box::new(panicked));
    if let Some(lost) = lost {
        error("instance_lost").with("lost", lost).with("instance", number).write();
    }
}

/// Where it was, and what it says where that is a constant: one that was put together may quote what was read.
fn panicked(info: &PanicHookInfo<'_>) {
    let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
    let constant = info.payload().downcast_ref::<&'static str>().copied();
    error("panicked").with("place", place).with("message", constant).write();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::fmt::Error);

    fn read(line: Line) -> Value {
        serde_json::from_str(&line.at(7)).expect("JSON")
    }

    #[test]
    fn r_log_1_a_line_is_one_json_object_without_what_is_not_known() {
        let line = warn("odd").request("").with("status", None::<u16>).message("a\n\"b\"");
        let text = line.at(7);
        assert!(!text.contains('\n'), "{text}");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            value,
            serde_json::json!({ "level": "warn", "event": "odd", "time": 7, "message": "a\n\"b\"" })
        );
    }

    #[test]
    fn r_log_1_an_error_is_told_with_its_causes() {
        let value = read(error("failed").failed(&Outer(std::fmt::Error)).request("r-1"));
        assert_eq!((&value["message"], &value["level"]), (&"outer".into(), &"error".into()));
        assert_eq!(value["causes"].as_array().map(Vec::len), Some(1));
        assert_eq!(value["request_id"], "r-1");
    }

    #[test]
    fn r_log_2_what_errors_say_is_cut() {
        let value = read(info("long").message("é".repeat(1_000)));
        let text = value["message"].as_str().expect("a text");
        assert!(text.len() <= TEXT_BYTES_MAX + "…".len() && text.ends_with("é…"), "{text}");
    }
}
