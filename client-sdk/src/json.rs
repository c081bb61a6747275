//! Writes JSON, and nothing more than this crate needs of it.

use alloc::{string::String, vec::Vec};

use schemas::Payload;

/// A JSON text under construction, and the byte strings that it refers to by number.
pub(crate) struct Writer {
    text: String,
    blobs: Vec<Vec<u8>>,
}

impl Writer {
    pub(crate) fn new() -> Writer {
        Writer { text: String::new(), blobs: Vec::new() }
    }

    pub(crate) fn finish(self) -> (String, Vec<Vec<u8>>) {
        (self.text, self.blobs)
    }

    /// Opens an object or a list as the next value.
    pub(crate) fn open(&mut self, bracket: char) {
        self.separate();
        self.text.push(bracket);
    }

    pub(crate) fn close(&mut self, bracket: char) {
        self.text.push(bracket);
    }

    pub(crate) fn key(&mut self, key: &str) {
        self.separate();
        self.text.push('"');
        self.text.push_str(key);
        self.text.push_str("\":");
    }

    /// A key that is not ours, and so may hold anything.
    pub(crate) fn name(&mut self, name: &str) {
        self.string(name);
        self.text.push(':');
    }

    pub(crate) fn list<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        each: fn(&mut Writer, T),
    ) {
        self.key(key);
        self.open('[');
        for item in items {
            each(self, item);
        }
        self.close(']');
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.string(value);
    }

    pub(crate) fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        self.digits(value);
    }

    fn digits(&mut self, value: u64) {
        let mut digits = [0u8; 20];
        let mut start = digits.len();
        let mut rest = value;
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        for digit in &digits[start..] {
            self.text.push(char::from(*digit));
        }
    }

    pub(crate) fn truth(&mut self, key: &str, value: bool) {
        self.key(key);
        self.text.push_str(if value { "true" } else { "false" });
    }

    /// JSON as it stands; of bytes the number of their blob, under the key and a `$`.
    pub(crate) fn payload(&mut self, key: &str, value: Payload) {
        match value {
            Payload::Json(json) => {
                self.key(key);
                self.text.push_str(json.as_str());
            }
            Payload::Bytes(bytes) => {
                self.separate();
                self.text.push('"');
                self.text.push_str(key);
                self.text.push_str("$\":");
                self.blob_number(bytes);
            }
        }
    }

    pub(crate) fn blob(&mut self, key: &str, bytes: Vec<u8>) {
        self.key(key);
        self.blob_number(bytes);
    }

    fn blob_number(&mut self, bytes: Vec<u8>) {
        self.digits(self.blobs.len() as u64);
        self.blobs.push(bytes);
    }

    pub(crate) fn string(&mut self, value: &str) {
        self.separate();
        self.text.push('"');
        let mut rest = value;
        while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)) {
            let (plain, special) = rest.split_at(at);
            self.text.push_str(plain);
            self.escape(special.as_bytes()[0]);
            rest = &special[1..];
        }
        self.text.push_str(rest);
        self.text.push('"');
    }

    fn escape(&mut self, byte: u8) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.text.push('\\');
        if byte >= b' ' {
            self.text.push(char::from(byte));
            return;
        }
        self.text.push_str("u00");
        self.text.push(char::from(HEX[usize::from(byte >> 4)]));
        self.text.push(char::from(HEX[usize::from(byte & 15)]));
    }

    fn separate(&mut self) {
        if !matches!(self.text.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.text.push(',');
        }
    }
}

#[cfg(test)]
mod tests {
    use schemas::payload::JsonText;

    use super::{Payload, Writer};

    #[test]
    fn what_is_written_is_json() {
        let mut json = Writer::new();
        json.open('{');
        json.number("zero", 0);
        json.number("large", (1 << 53) - 1);
        json.text("text", "a\"b\\c\n\u{1}é");
        json.list("list", ["x", "y"], |json, item| json.string(item));
        json.truth("yes", true);
        json.name("a\"b");
        json.open('{');
        json.close('}');
        let spliced = JsonText::check("{\"a\":[1, 2]}".into()).expect("is JSON");
        json.payload("data", Payload::Json(spliced));
        json.payload("info", Payload::Bytes(vec![1, 2]));
        json.close('}');
        let (text, blobs) = json.finish();
        assert_eq!(
            text,
            concat!(
                r#"{"zero":0,"large":9007199254740991,"text":"a\"b\\c\u000a\u0001é","list":["x","y"],"#,
                r#""yes":true,"a\"b":{},"data":{"a":[1, 2]},"info$":0}"#
            )
        );
        assert_eq!(blobs, [vec![1, 2]]);
    }
}
