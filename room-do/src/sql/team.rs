//! What a room's behavior keeps: its values, and statements of its own beside our tables.

use js_sys::Array;
use room_core::{
    StorageError,
    storage::{KeyRange, OWN_KEYS, SqlError, SqlRows, SqlValue},
};
use wasm_bindgen::prelude::*;
use worker::{SqlStorageValue, worker_sys::DurableObjectStorage};

use super::{
    BINDINGS_MAX, RoomSql, SqlRow,
    values::{binary, blob, integer, text, value_text},
};
use deployment::transaction::Transaction;

// What `work` throws is a trap: it goes through, and nothing of this instance runs on. All else is an answer.
#[wasm_bindgen(inline_js = r"
export function transact(storage, work) {
  let trap;
  let stays;
  const run = () => {
    try {
      stays = work();
    } catch (error) {
      trap = { error };
    }
    if (!stays) throw new Error('rolled back');
  };
  try {
    storage.transactionSync(run);
  } catch (error) {
    if (trap) throw trap.error;
    if (stays !== false) return String(error);
  }
}
export function execute(sql, query, bindings) {
  const cursor = sql.exec(query, ...bindings);
  const rows = Array.from(cursor.raw());
  return [cursor.columnNames, rows, cursor.rowsWritten];
}
")]
extern "C" {
    /// What went wrong with the transaction itself, if something did. `work` says whether what it did stays.
    #[wasm_bindgen(js_name = transact)]
    fn run_transact(storage: &DurableObjectStorage, work: &mut dyn FnMut() -> bool) -> Option<String>;

    #[wasm_bindgen(catch, js_name = execute)]
    fn run_statement(sql: &JsValue, query: &str, bindings: &Array) -> Result<Array, JsValue>;
}

/// Does `work` in one transaction, within the one that runs if one does, and keeps it if that is what it returns.
pub(super) fn transact(
    storage: &DurableObjectStorage,
    work: &mut dyn FnMut() -> bool,
) -> Result<(), StorageError> {
    run_transact(storage, &mut || work()).map_or(Ok(()), |error| Err(StorageError(error)))
}

pub(super) fn execute(room: &RoomSql, query: &str, bindings: &[SqlValue]) -> Result<SqlRows, SqlError> {
    let given: Array = bindings.iter().map(binding).collect();
    let answer = run_statement(room.sql.as_ref(), query, &given)
        .map_err(|error| SqlError(worker::Error::from(error).to_string()))?;
    let list = |index: u32| Array::from(&answer.get(index));
    let row = |row: JsValue| Array::from(&row).iter().map(value).collect::<Result<Vec<_>, _>>();
    Ok(SqlRows {
        columns: list(0).iter().filter_map(|name| name.as_string()).collect(),
        rows: list(1).iter().map(row).collect::<Result<_, _>>()?,
        written: answer.get(2).as_f64().unwrap_or_default() as u64,
    })
}

fn binding(value: &SqlValue) -> JsValue {
    match value {
        SqlValue::Null => JsValue::NULL,
        SqlValue::Integer(value) => JsValue::from_f64(*value as f64),
        SqlValue::Real(value) => JsValue::from_f64(*value),
        SqlValue::Text(text) => JsValue::from_str(text),
        SqlValue::Blob(bytes) => binary(bytes),
    }
}

/// JavaScript does not tell 1.0 from 1.
fn value(value: JsValue) -> Result<SqlValue, SqlError> {
    let value = SqlStorageValue::try_from(value).map_err(|error| SqlError(error.to_string()))?;
    Ok(match value {
        SqlStorageValue::Null => SqlValue::Null,
        SqlStorageValue::Boolean(value) => SqlValue::Integer(value.into()),
        SqlStorageValue::Integer(value) => SqlValue::Integer(value),
        SqlStorageValue::Float(value) => SqlValue::Real(value),
        SqlStorageValue::String(text) => SqlValue::Text(text),
        SqlStorageValue::Blob(bytes) => SqlValue::Blob(bytes),
    })
}

pub(super) fn read(room: &RoomSql, keys: &[&str]) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
    let mut found = Vec::new();
    for keys in keys.chunks(BINDINGS_MAX) {
        let marks = vec!["?"; keys.len()].join(", ");
        let query = format!("SELECT key, value FROM stored WHERE key IN ({marks})");
        let rows = room.found(&query, keys.iter().map(|key| value_text(key)).collect())?;
        found.extend(stored(rows)?);
    }
    Ok(found)
}

pub(super) fn list(room: &RoomSql, range: &KeyRange) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
    let order = if range.reverse { "DESC" } else { "ASC" };
    let mut bindings = vec![value_text(&range.from)];
    let until = match &range.until {
        Some(until) => {
            bindings.push(value_text(until));
            "AND key < ?"
        }
        None => "",
    };
    bindings.push(integer(range.limit as u64));
    let query = format!(
        "SELECT key, value FROM stored WHERE key >= ? {until} AND key NOT LIKE '{OWN_KEYS}%' \
         ORDER BY key {order} LIMIT ?"
    );
    stored(room.found(&query, bindings)?)
}

fn stored(rows: Vec<SqlRow>) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
    rows.iter().map(|row| Ok((text(row, 0)?.to_owned(), blob(row, 1)?.to_vec()))).collect()
}

/// Drops what the behavior made beside our tables.
pub(super) fn drop_made(
    room: &RoomSql,
    ours: &[&str],
    transaction: &Transaction,
) -> Result<(), StorageError> {
    // Virtual tables go ahead of those that they made for themselves.
    let query = "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view') \
                 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' \
                 ORDER BY type DESC, sql LIKE 'CREATE VIRTUAL%' DESC";
    let made = room.rows(query, vec![])?;
    let mut has_any = false;
    for row in &made {
        let (kind, name) = (text(row, 0)?, text(row, 1)?);
        if ours.contains(&name) {
            continue;
        }
        if !std::mem::replace(&mut has_any, true) {
            // Tables that refer to each other go in any order.
            transaction.add("PRAGMA defer_foreign_keys = ON", []);
        }
        let name = name.replace('"', "\"\"");
        transaction.add(&format!("DROP {kind} IF EXISTS \"{name}\""), []);
    }
    Ok(())
}
