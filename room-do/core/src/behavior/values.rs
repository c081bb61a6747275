//! Values by key: what a behavior stores, and sees as if it were stored at once.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};

use super::{context::Context, events::List, failure::Failure};
use crate::storage::{KeyRange, OWN_KEYS};

/// Bytes of a key.
pub const KEY_BYTES_MAX: usize = 512;
/// Bytes of a value, as MessagePack.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// Values that one list returns where it names no bound, and at most.
pub const LIST_DEFAULT: usize = 1_000;
pub const LIST_MAX: usize = 10_000;

/// Changes over what is committed, which can be taken back.
#[derive(Debug)]
pub(crate) struct Overlay<T> {
    changed: BTreeMap<String, Option<T>>,
    /// What each change replaced, since the outermost mark.
    undo: Vec<(String, Option<Option<T>>)>,
}

impl<T> Default for Overlay<T> {
    fn default() -> Self {
        Overlay { changed: BTreeMap::new(), undo: Vec::new() }
    }
}

impl<T> Overlay<T> {
    /// `Some(None)`: it is gone. `None`: as committed.
    pub(crate) fn get(&self, key: &str) -> Option<Option<&T>> {
        self.changed.get(key).map(Option::as_ref)
    }

    pub(crate) fn set(&mut self, key: String, value: Option<T>) {
        let before = self.changed.insert(key.clone(), value);
        self.undo.push((key, before));
    }

    pub(crate) fn mark(&self) -> usize {
        self.undo.len()
    }

    pub(crate) fn roll_back(&mut self, mark: usize) {
        while self.undo.len() > mark {
            let Some((key, before)) = self.undo.pop() else { return };
            match before {
                Some(before) => drop(self.changed.insert(key, before)),
                None => drop(self.changed.remove(&key)),
            }
        }
    }

    pub(crate) fn forget_marks(&mut self) {
        self.undo.clear();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, Option<&T>)> {
        self.changed.iter().map(|(key, value)| (key, value.as_ref()))
    }

    pub(crate) fn into_changes(self) -> BTreeMap<String, Option<T>> {
        self.changed
    }
}

impl Context<'_> {
    /// The value under a key, as a type. One that was stored as another type fails the step.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        self.read(key)
    }

    /// Those of the keys that have values.
    #[must_use]
    pub fn get_many<T: DeserializeOwned>(&mut self, keys: &[&str]) -> BTreeMap<String, T> {
        let unknown: Vec<&str> = keys.iter().copied().filter(|key| self.values.get(key).is_none()).collect();
        let stored = self.deciding.storage.read_values(&unknown);
        let mut found: BTreeMap<String, Vec<u8>> = self.stored(stored).into_iter().collect();
        for key in keys {
            if let Some(Some(value)) = self.values.get(key) {
                found.insert((*key).to_owned(), value.clone());
            }
        }
        let typed =
            found.into_iter().filter_map(|(key, value)| Some((key.clone(), self.typed(&key, &value)?)));
        typed.collect()
    }

    /// Stores a value: a key is 1 to 512 bytes and does not begin with `$`, a value at most 1 MiB.
    pub fn put(&mut self, key: &str, value: &impl Serialize) {
        if self.is_key(key) {
            self.write(key.to_owned(), value);
        }
    }

    /// Stores several.
    pub fn put_many<'k, T: Serialize + 'k>(&mut self, values: impl IntoIterator<Item = (&'k str, T)>) {
        for (key, value) in values {
            self.put(key, &value);
        }
    }

    /// Deletes the value under a key, if there is one.
    pub fn delete(&mut self, key: &str) {
        if self.is_key(key) {
            self.erase(key.to_owned());
        }
    }

    /// Deletes several.
    pub fn delete_many(&mut self, keys: &[&str]) {
        keys.iter().for_each(|key| self.delete(key));
    }

    /// Keys and values in the order of the keys' bytes.
    #[must_use]
    pub fn list<T: DeserializeOwned>(&mut self, list: &List) -> Vec<(String, T)> {
        let range = range(list);
        let within = |key: &str| {
            key >= range.from.as_str()
                && range.until.as_deref().is_none_or(|end| key < end)
                && !key.starts_with(OWN_KEYS)
        };
        let changed = self.values.iter().filter(|(key, _)| within(key));
        let changed: Vec<(String, Option<Vec<u8>>)> =
            changed.map(|(key, value)| (key.clone(), value.cloned())).collect();
        // Each change may hide one that is stored.
        let limit = range.limit + changed.len();
        let stored = self.deciding.storage.list_values(&KeyRange { limit, ..range.clone() });
        let mut found: BTreeMap<String, Vec<u8>> = self.stored(stored).into_iter().collect();
        for (key, value) in changed {
            match value {
                Some(value) => drop(found.insert(key, value)),
                None => drop(found.remove(&key)),
            }
        }
        let mut found: Vec<(String, Vec<u8>)> = found.into_iter().collect();
        if range.reverse {
            found.reverse();
        }
        found.truncate(range.limit);
        found.into_iter().filter_map(|(key, value)| Some((key.clone(), self.typed(&key, &value)?))).collect()
    }

    /// As [`Context::get`], with keys of the room's own.
    pub(crate) fn read<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let value = match self.values.get(key) {
            Some(value) => value.cloned(),
            None => {
                let stored = self.deciding.storage.read_values(&[key]);
                self.stored(stored).pop().map(|(_, value)| value)
            }
        };
        self.typed(key, &value?)
    }

    pub(crate) fn write(&mut self, key: String, value: &impl Serialize) {
        match rmp_serde::to_vec_named(value) {
            Ok(value) if value.len() <= VALUE_BYTES_MAX => self.values.set(key, Some(value)),
            Ok(value) => {
                let message = format!("{key}: is {} bytes, and at most {VALUE_BYTES_MAX}", value.len());
                self.fail(Failure::with_code(schemas::ErrorCode::TooLarge, message));
            }
            Err(error) => self.fail(internal(&key, &error.to_string())),
        }
    }

    pub(crate) fn erase(&mut self, key: String) {
        self.values.set(key, None);
    }

    fn typed<T: DeserializeOwned>(&mut self, key: &str, value: &[u8]) -> Option<T> {
        let mut value = rmp_serde::Deserializer::from_read_ref(value);
        let typed = serde_path_to_error::deserialize(&mut value);
        // What it holds is somebody's: no more is told than where.
        typed
            .map_err(|error| self.fail(internal(key, &format!("is of another type at {}", error.path()))))
            .ok()
    }

    fn is_key(&mut self, key: &str) -> bool {
        let is_key = (1..=KEY_BYTES_MAX).contains(&key.len()) && !key.starts_with(OWN_KEYS);
        if !is_key {
            let message = format!("is 1 to {KEY_BYTES_MAX} bytes and does not begin with $");
            self.fail(internal(key, &message));
        }
        is_key
    }
}

fn internal(key: &str, message: &str) -> Failure {
    Failure::with_code(schemas::ErrorCode::Internal, format!("stored value {key:?}: {message}"))
}

fn range(list: &List) -> KeyRange {
    let List { prefix, start, end, limit, reverse } = list;
    let from = start.clone().map_or_else(|| prefix.clone(), |start| start.max(prefix.clone()));
    let until = match (successor(prefix), end.clone()) {
        (Some(last), Some(end)) => Some(end.min(last)),
        (last, end) => last.or(end),
    };
    let limit = limit.unwrap_or(LIST_DEFAULT).min(LIST_MAX);
    KeyRange { from, until, reverse: *reverse, limit }
}

/// The first text behind all that begin with this one.
fn successor(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(last as u32 + 1),
        };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_its_successor() {
        assert_eq!(successor("vote/").as_deref(), Some("vote0"));
        assert_eq!(successor("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(successor("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(successor("\u{10ffff}"), None);
        assert_eq!(successor(""), None);
    }

    #[test]
    fn what_was_rolled_back_is_as_it_was_marked() {
        let mut overlay = Overlay::default();
        overlay.set("a".into(), Some(1));
        let mark = overlay.mark();
        overlay.set("a".into(), Some(2));
        overlay.set("b".into(), None);
        overlay.set("a".into(), None);
        overlay.roll_back(mark);
        assert_eq!((overlay.get("a"), overlay.get("b")), (Some(Some(&1)), None));
    }
}
