//! Inputs that are almost right: a seed of the corpus, changed a few times.

use crate::{STEP, random::Random};

/// Longer inputs are cut: what takes long finds little.
const BYTES_MAX: usize = 16 * 1024;
const CHANGES_MAX: usize = 5;

const NUMBERS: [u64; 18] = [
    0,
    1,
    64,
    127,
    128,
    255,
    256,
    501,
    65_535,
    65_536,
    (1 << 31) - 1,
    (1 << 32) - 1,
    1 << 32,
    (1 << 53) - 1,
    1 << 53,
    i64::MAX as u64,
    u64::MAX - 1,
    u64::MAX,
];

/// Bytes that begin or end something in JSON, MessagePack, a token or a script.
const BYTES: [u8; 40] = [
    0x00, 0x01, 0x7f, 0x80, 0x81, 0x8f, 0x90, 0x91, 0x9f, 0xa0, 0xa1, 0xbf, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4,
    0xc6, 0xc7, 0xca, 0xcb, 0xcc, 0xcf, 0xd0, 0xd3, 0xd9, 0xdb, 0xdc, 0xdd, 0xdf, 0xff, b'"', b'\\', b'{',
    b'}', b'[', b'\n', b'\r', b'.', STEP,
];

/// Names of messages and fields, and values that stand for themselves.
const WORDS: [&str; 96] = [
    "t",
    "id",
    "hello",
    "publish",
    "presence",
    "subscribe",
    "unsubscribe",
    "history",
    "members",
    "leave",
    "edit",
    "remove",
    "react",
    "state",
    "ack",
    "call",
    "cancel",
    "auth",
    "session",
    "recover",
    "rewind",
    "tags",
    "data",
    "to",
    "ephemeral",
    "echo",
    "type",
    "before",
    "after",
    "limit",
    "cursor",
    "key",
    "conflate",
    "users",
    "sessions",
    "connections",
    "epoch",
    "offset",
    "welcome",
    "publication",
    "position",
    "occupancy",
    "reply",
    "error",
    "expiring",
    "notice",
    "result",
    "code",
    "message",
    "retryable",
    "retry_after_ms",
    "details",
    "joined",
    "left",
    "updated",
    "user",
    "room",
    "kind",
    "reason",
    "lost",
    "info",
    "since",
    "time",
    "from",
    "members_next",
    "next",
    "duplicate",
    "limits",
    "server_time",
    "expires_at",
    "restarted",
    "true",
    "false",
    "null",
    "1e999",
    "-1",
    "0.5",
    "$bin",
    "$vip",
    "red",
    "\\u0000",
    "\\ud800",
    "kinds",
    "log",
    "count",
    "age",
    "bytes",
    "flush",
    "grace",
    "public",
    "alg",
    "kid",
    "exp",
    "sub",
    "rooms",
    "*",
];

/// Makes inputs without end, the same ones from the same seed.
#[derive(Debug)]
pub struct Mutator<'a> {
    corpus: &'a [Vec<u8>],
    random: Random,
}

impl<'a> Mutator<'a> {
    #[must_use]
    pub fn new(corpus: &'a [Vec<u8>], seed: u64) -> Mutator<'a> {
        Mutator { corpus, random: Random::new(seed) }
    }

    pub fn next_input(&mut self) -> Vec<u8> {
        let mut input = self.seed().to_vec();
        // One change mostly: what is changed more can seldom be read.
        let changes_max = if self.random.below(3) == 0 { CHANGES_MAX } else { 1 };
        for _ in 0..=self.random.below(changes_max) {
            self.change(&mut input);
        }
        input.truncate(BYTES_MAX);
        input
    }

    fn seed(&mut self) -> &'a [u8] {
        self.corpus.get(self.random.below(self.corpus.len())).map_or(&[], Vec::as_slice)
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        match self.random.below(30) {
            0..=3 => self.flip_bit(input),
            4 | 5 => self.set_byte(input),
            6 => input.truncate(self.random.below(input.len() + 1)),
            7 => drop(input.drain(self.chunk(input.len()))),
            8 => self.insert_bytes(input),
            9 | 10 => self.repeat_chunk(input),
            11 | 12 => self.splice(input),
            13..=18 => self.swap_word(input),
            19 => self.insert_word(input),
            20..=25 => self.swap_number(input),
            26..=28 => self.move_step(input),
            _ => self.nest(input),
        }
    }

    /// Somewhere, mostly short.
    fn chunk(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.random.below(length + 1);
        let reach = if self.random.below(4) == 0 { length } else { 16 };
        let end = length.min(start + self.random.below(reach + 1));
        start..end
    }

    fn flip_bit(&mut self, input: &mut [u8]) {
        let (at, bit) = (self.random.below(input.len()), self.random.below(8));
        if let Some(byte) = input.get_mut(at) {
            *byte ^= 1 << bit;
        }
    }

    fn set_byte(&mut self, input: &mut [u8]) {
        let at = self.random.below(input.len());
        let to = *self.random.one_of(&BYTES);
        if let Some(byte) = input.get_mut(at) {
            *byte = to;
        }
    }

    fn insert_bytes(&mut self, input: &mut Vec<u8>) {
        let at = self.random.below(input.len() + 1);
        let count = 1 + self.random.below(8);
        let bytes: Vec<u8> = (0..count)
            .map(|_| if self.random.below(2) == 0 { *self.random.one_of(&BYTES) } else { self.random.byte() })
            .collect();
        input.splice(at..at, bytes);
    }

    fn repeat_chunk(&mut self, input: &mut Vec<u8>) {
        let range = self.chunk(input.len());
        let often = self.random.below(8) == 0;
        let times = 1 + self.random.below(if often { 200 } else { 4 });
        let bytes = input[range.clone()].repeat(times.min(BYTES_MAX / (range.len() + 1)));
        input.splice(range.end..range.end, bytes);
    }

    /// Puts a piece of another seed in.
    fn splice(&mut self, input: &mut Vec<u8>) {
        let other = self.seed();
        let piece = &other[self.chunk(other.len())];
        let range = self.chunk(input.len());
        input.splice(range, piece.iter().copied());
    }

    /// Changes one name for another, and the length that MessagePack writes ahead of it.
    fn swap_word(&mut self, input: &mut Vec<u8>) {
        let to = *self.random.one_of(&WORDS);
        let start = self.random.below(input.len());
        let first = self.random.below(WORDS.len());
        let find = |word: &'static str| {
            let mut windows = input[start..].windows(word.len());
            windows.position(|window| window == word.as_bytes()).map(|at| (word, start + at))
        };
        let Some((from, at)) = WORDS.iter().cycle().skip(first).take(8).copied().find_map(find) else {
            return;
        };
        if at > 0 && input[at - 1] == fixstr(from) {
            input[at - 1] = fixstr(to);
        }
        input.splice(at..at + from.len(), to.bytes());
    }

    fn insert_word(&mut self, input: &mut Vec<u8>) {
        let at = self.random.below(input.len() + 1);
        let word = *self.random.one_of(&WORDS);
        let bytes = match self.random.below(3) {
            0 => word.as_bytes().to_vec(),
            1 => format!("\"{word}\":").into_bytes(),
            _ => [&[fixstr(word)], word.as_bytes()].concat(),
        };
        input.splice(at..at, bytes);
    }

    /// Puts a number at a bound in place of decimal digits, or of a MessagePack number.
    fn swap_number(&mut self, input: &mut Vec<u8>) {
        let number = *self.random.one_of(&NUMBERS);
        let start = self.random.below(input.len());
        let is_digit = |byte: &u8| byte.is_ascii_digit();
        let Some(at) = input[start..].iter().position(is_digit).map(|at| start + at) else {
            let packed = [&[0xcf], number.to_be_bytes().as_slice()].concat();
            let end = input.len().min(start + 1);
            input.splice(start..end, packed);
            return;
        };
        let digits = input[at..].iter().take_while(|byte| is_digit(byte)).count();
        input.splice(at..at + digits, number.to_string().into_bytes());
    }

    /// Takes a step of a script to another place, or says it twice.
    fn move_step(&mut self, input: &mut Vec<u8>) {
        let mut steps: Vec<Vec<u8>> = input.split(|byte| *byte == STEP).map(<[u8]>::to_vec).collect();
        let step = steps[self.random.below(steps.len())].clone();
        if self.random.below(2) == 0 {
            steps.remove(self.random.below(steps.len()));
        }
        steps.insert(self.random.below(steps.len() + 1), step);
        *input = steps.join(&STEP);
    }

    fn nest(&mut self, input: &mut Vec<u8>) {
        const OPENINGS: [&[u8]; 5] = [b"[", b"{\"a\":", &[0x91], &[0x81, 0xa1, b'a'], &[0xc4]];
        let at = self.random.below(input.len() + 1);
        let opening = *self.random.one_of(&OPENINGS);
        let depth = *self.random.one_of(&[2, 17, 64, 65, 127, 128, 129, 1_025, 4_000]);
        input.splice(at..at, opening.repeat(depth));
    }
}

fn fixstr(word: &str) -> u8 {
    0xa0 | u8::try_from(word.len() & 0x1f).expect("is below 32")
}
