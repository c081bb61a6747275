//! What SQLite gives and takes.

use js_sys::Uint8Array;
use room_core::{
    StorageError,
    lifecycle::Lifecycle,
    storage::{KeyRow, Meta},
};
use schemas::{
    Epoch, Offset, Payload, UserId,
    http::{KeyScope, ScopedKey},
    payload::JsonText,
    server_message::LifecycleState,
};
use wasm_bindgen::JsValue;
use worker::SqlStorageValue;

const LIFECYCLES: [(LifecycleState, &str); 4] = [
    (LifecycleState::Fresh, "fresh"),
    (LifecycleState::Occupied, "occupied"),
    (LifecycleState::Vacant, "vacant"),
    (LifecycleState::Idle, "idle"),
];

pub(super) fn lifecycle_text(state: LifecycleState) -> &'static str {
    LIFECYCLES.iter().find(|(known, _)| *known == state).map_or("vacant", |(_, text)| text)
}

pub(super) fn meta(row: &[SqlStorageValue]) -> Result<Meta, StorageError> {
    let epoch = Epoch::parse(text(row, 0)?);
    let state = text(row, 5)?;
    let state = LIFECYCLES.iter().find(|(_, known)| *known == state).map(|(state, _)| *state);
    Ok(Meta {
        epoch: epoch.ok_or_else(|| StorageError("the room's epoch cannot be read".into()))?,
        head: offset(row, 1)?,
        bytes_total: whole(row, 2)?,
        time: whole(row, 3)?,
        state_version: whole(row, 4)?,
        lifecycle: Lifecycle {
            state: state.ok_or_else(|| StorageError("the room's lifecycle cannot be read".into()))?,
            since: whole(row, 6)?,
            created_at: whole(row, 7)?,
            active_at: whole(row, 8)?,
        },
    })
}

pub(super) fn key_row(row: &[SqlStorageValue]) -> Result<KeyRow, StorageError> {
    let scope = scope(text(row, 0)?).ok_or_else(|| StorageError("a key's scope cannot be read".into()))?;
    let key = ScopedKey { scope, key: text(row, 1)?.to_owned() };
    Ok(KeyRow { key, offset: offset(row, 2)?, at: whole(row, 3)?, hash: blob(row, 4)?.to_vec() })
}

pub(super) fn scope_text(scope: &KeyScope) -> String {
    match scope {
        KeyScope::User(user) => format!("user:{user}"),
        KeyScope::ApiKey(id) => format!("key:{id}"),
    }
}

fn scope(text: &str) -> Option<KeyScope> {
    match text.split_once(':')? {
        ("user", user) => UserId::parse(user).map(KeyScope::User),
        ("key", id) => Some(KeyScope::ApiKey(id.to_owned())),
        _ => None,
    }
}

/// A payload's column: text, a blob, or nothing where it was erased.
pub(super) fn payload(row: &[SqlStorageValue], column: usize) -> Result<Option<Payload>, StorageError> {
    match row.get(column) {
        Some(SqlStorageValue::Null) => Ok(None),
        Some(SqlStorageValue::String(text)) => Ok(Some(Payload::Json(JsonText::trusted(text.clone())))),
        Some(SqlStorageValue::Blob(bytes)) => Ok(Some(Payload::Bytes(bytes.clone()))),
        _ => Err(StorageError(format!("column {column} is not a payload"))),
    }
}

pub(super) fn whole(row: &[SqlStorageValue], column: usize) -> Result<u64, StorageError> {
    let value = match row.get(column) {
        Some(SqlStorageValue::Integer(value)) => u64::try_from(*value).ok(),
        Some(SqlStorageValue::Float(value)) if *value >= 0.0 => Some(*value as u64),
        _ => None,
    };
    value.ok_or_else(|| StorageError(format!("column {column} is not a whole number")))
}

/// A number, or nothing.
pub(super) fn maybe(row: &[SqlStorageValue], column: usize) -> Result<Option<u64>, StorageError> {
    match row.get(column) {
        Some(SqlStorageValue::Null) => Ok(None),
        _ => whole(row, column).map(Some),
    }
}

pub(super) fn count(row: &[SqlStorageValue], column: usize) -> Result<u32, StorageError> {
    let value = whole(row, column)?;
    u32::try_from(value).map_err(|_| StorageError(format!("column {column} is no count: {value}")))
}

pub(super) fn offset(row: &[SqlStorageValue], column: usize) -> Result<Offset, StorageError> {
    Offset::new(whole(row, column)?).ok_or_else(|| StorageError("an offset is not below 2^53".into()))
}

pub(super) fn user(row: &[SqlStorageValue], column: usize) -> Result<UserId, StorageError> {
    UserId::parse(text(row, column)?).ok_or_else(|| StorageError("a user cannot be read".into()))
}

pub(super) fn blob(row: &[SqlStorageValue], column: usize) -> Result<&[u8], StorageError> {
    match row.get(column) {
        Some(SqlStorageValue::Blob(bytes)) => Ok(bytes),
        _ => Err(StorageError(format!("column {column} is not a blob"))),
    }
}

pub(super) fn text(row: &[SqlStorageValue], column: usize) -> Result<&str, StorageError> {
    match row.get(column) {
        Some(SqlStorageValue::String(text)) => Ok(text),
        _ => Err(StorageError(format!("column {column} is not text"))),
    }
}

pub(super) fn number(value: u64) -> JsValue {
    JsValue::from_f64(value as f64)
}

pub(super) fn integer(value: u64) -> SqlStorageValue {
    SqlStorageValue::Integer(value as i64)
}

pub(super) fn value_text(text: &str) -> SqlStorageValue {
    SqlStorageValue::String(text.to_owned())
}

pub(super) fn binary(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

pub(super) fn failed(error: worker::Error) -> StorageError {
    StorageError(error.to_string())
}
