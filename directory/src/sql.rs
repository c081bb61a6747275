//! A shard's tables.
//!
//! * `rooms`: what is known of each room, [`Known`] in MessagePack, with when something is due about it.
//! * `totals`: of each kind and series, the sum of all that reports changed.
//! * `revocations`: in the order in which they came.
//! * `parked`: what webhook endpoints did not take, [`Parked`] in MessagePack.
//! * `pushes`: what rooms are still to be told, [`Push`] in MessagePack.

use deployment::transaction::Transaction;
use directory_core::{
    known::{Delta, Known},
    push::Push,
};
use js_sys::Uint8Array;
use schemas::{Revocation, directory::Totals, webhook::Parked};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::JsValue;
use worker::{SqlStorage, SqlStorageValue, durable::Storage};

const TABLES: [&str; 8] = [
    "CREATE TABLE IF NOT EXISTS layout (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS rooms (name TEXT PRIMARY KEY, is_listed INTEGER NOT NULL, \
     is_occupied INTEGER NOT NULL, due_at INTEGER, row BLOB NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS rooms_due ON rooms (due_at) WHERE due_at IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS totals (kind TEXT NOT NULL, series TEXT NOT NULL, value INTEGER NOT NULL, \
     PRIMARY KEY (kind, series)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS revocations (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, \
     until INTEGER NOT NULL, row BLOB NOT NULL UNIQUE)",
    "CREATE TABLE IF NOT EXISTS pushes (id INTEGER PRIMARY KEY AUTOINCREMENT, due_at INTEGER NOT NULL, \
     row BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS parked (place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, \
     row BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS rooms_occupied ON rooms (name) WHERE is_occupied",
];

/// The layout that this code reads and writes.
const LAYOUT: i64 = 1;

/// A statement takes at most so many bindings.
const BINDINGS_MAX: usize = 100;

/// A statement failed, or a row cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqlError {
    #[error("a statement failed: {0}")]
    Statement(#[from] worker::Error),
    #[error("a transaction failed: {0}")]
    Transaction(String),
    #[error("a row cannot be read")]
    Row(#[from] rmp_serde::decode::Error),
    #[error("a row cannot be written")]
    Encoding(#[from] rmp_serde::encode::Error),
    #[error("a column is not what it should be")]
    Column,
    #[error("layout {0} was written by newer code; this code knows {LAYOUT}")]
    Newer(i64),
}

pub(crate) struct Sql {
    storage: Storage,
    sql: SqlStorage,
}

type Row = Vec<SqlStorageValue>;

impl Sql {
    pub(crate) fn open(storage: Storage) -> Result<Sql, SqlError> {
        let sql = Sql { sql: storage.sql(), storage };
        for table in TABLES {
            sql.rows(table, vec![])?;
        }
        let found = sql.rows("SELECT version FROM layout", vec![])?;
        match found.first().map(|row| integer(row, 0)).transpose()? {
            None => drop(sql.rows("INSERT INTO layout (id, version) VALUES (1, ?)", vec![LAYOUT.into()])?),
            Some(version) if version > LAYOUT => return Err(SqlError::Newer(version)),
            Some(_) => {}
        }
        Ok(sql)
    }

    pub(crate) fn room(&self, name: &str) -> Result<Option<Known>, SqlError> {
        let rows = self.rows("SELECT row FROM rooms WHERE name = ?", vec![name.into()])?;
        rows.first().map(|row| decoded(row, 0)).transpose()
    }

    /// Keeps what is known of a room now, with what that changes in the totals.
    pub(crate) fn put_room(&self, known: &Known, delta: &Delta) -> Result<(), SqlError> {
        let transaction = Transaction::default();
        let entry = known.entry();
        let is_occupied = entry.lifecycle == schemas::server_message::LifecycleState::Occupied;
        let due_at = known.due_at().map_or(JsValue::NULL, number);
        transaction.add(
            "INSERT OR REPLACE INTO rooms (name, is_listed, is_occupied, due_at, row) VALUES (?, ?, ?, ?, ?)",
            [
                entry.room.as_str().into(),
                u8::from(!known.is_gone()).into(),
                u8::from(is_occupied).into(),
                due_at,
                binary(known)?,
            ],
        );
        let changes: Vec<(&String, &i64)> = delta.iter().collect();
        for changes in changes.chunks(BINDINGS_MAX / 3) {
            let rows = vec!["(?, ?, ?)"; changes.len()].join(", ");
            let query = format!(
                "INSERT INTO totals (kind, series, value) VALUES {rows} \
                 ON CONFLICT (kind, series) DO UPDATE SET value = value + excluded.value"
            );
            let bindings = changes.iter().flat_map(|(series, change)| {
                [entry.kind.as_str().into(), series.as_str().into(), JsValue::from_f64(**change as f64)]
            });
            transaction.add(&query, bindings);
        }
        self.run(transaction)
    }

    pub(crate) fn forget_room(&self, name: &str) -> Result<(), SqlError> {
        self.rows("DELETE FROM rooms WHERE name = ?", vec![name.into()]).map(drop)
    }

    /// Those whose name begins with `prefix` and is above `after`, by name.
    pub(crate) fn rooms(&self, prefix: &str, after: &str, limit: u32) -> Result<Vec<Known>, SqlError> {
        // One bound from below, so that a page begins where the one before ended.
        let (above, from) = if after >= prefix { (">", after) } else { (">=", prefix) };
        // Names have nothing above `~`.
        let query = format!(
            "SELECT row FROM rooms WHERE name {above} ? AND name < ? || char(127) AND is_listed \
             ORDER BY name LIMIT ?"
        );
        let bindings = vec![from.into(), prefix.into(), i64::from(limit).into()];
        self.rows(&query, bindings)?.iter().map(|row| decoded(row, 0)).collect()
    }

    /// Names above `after`.
    pub(crate) fn occupied(&self, after: &str, limit: u32) -> Result<Vec<String>, SqlError> {
        let query = "SELECT name FROM rooms WHERE is_occupied AND name > ? ORDER BY name LIMIT ?";
        let rows = self.rows(query, vec![after.into(), i64::from(limit).into()])?;
        rows.iter().map(|row| Ok(text(row, 0)?.to_owned())).collect()
    }

    /// Rooms about which something is due.
    pub(crate) fn due_rooms(&self, now: u64, limit: u32) -> Result<Vec<Known>, SqlError> {
        let query = "SELECT row FROM rooms WHERE due_at <= ? ORDER BY due_at LIMIT ?";
        let rows = self.rows(query, vec![(now as i64).into(), i64::from(limit).into()])?;
        rows.iter().map(|row| decoded(row, 0)).collect()
    }

    /// When something is due next, about a room or a push.
    pub(crate) fn due_at(&self) -> Result<Option<u64>, SqlError> {
        let query = "SELECT MIN(due_at) FROM (SELECT MIN(due_at) AS due_at FROM rooms WHERE due_at IS NOT NULL \
                     UNION ALL SELECT MIN(due_at) FROM pushes)";
        let rows = self.rows(query, vec![])?;
        match rows.first().and_then(|row| row.first()) {
            None | Some(SqlStorageValue::Null) => Ok(None),
            Some(_) => Ok(Some(integer(&rows[0], 0)? as u64)),
        }
    }

    pub(crate) fn totals(&self) -> Result<Totals, SqlError> {
        let mut totals = Totals::new();
        for row in self.rows("SELECT kind, series, value FROM totals", vec![])? {
            let (kind, series) = (text(&row, 0)?.to_owned(), text(&row, 1)?.to_owned());
            totals.entry(kind).or_default().insert(series, integer(&row, 2)?);
        }
        Ok(totals)
    }

    pub(crate) fn revocations(&self, since: u64) -> Result<Vec<Revocation>, SqlError> {
        let rows = self.rows("SELECT row FROM revocations WHERE at >= ?", vec![(since as i64).into()])?;
        rows.iter().map(|row| decoded(row, 0)).collect()
    }

    /// The number of the latest.
    pub(crate) fn revocations_version(&self) -> Result<u64, SqlError> {
        let rows = self.rows("SELECT COALESCE(MAX(id), 0) FROM revocations", vec![])?;
        rows.first().map_or(Ok(0), |row| integer(row, 0)).map(|version| version as u64)
    }

    /// Keeps a revocation and its push, and forgets those that have ended and `forgotten`.
    pub(crate) fn put_revocation(
        &self,
        revocation: &Revocation,
        forgotten: Option<&Revocation>,
        push: &Push,
        now: u64,
    ) -> Result<i64, SqlError> {
        let transaction = Transaction::default();
        transaction.add("DELETE FROM revocations WHERE until <= ?", [number(now)]);
        if let Some(forgotten) = forgotten {
            transaction.add("DELETE FROM revocations WHERE row = ?", [binary(forgotten)?]);
        }
        transaction.add(
            "INSERT OR REPLACE INTO revocations (at, until, row) VALUES (?, ?, ?)",
            [number(now), number(revocation.until), binary(revocation)?],
        );
        add_push(&transaction, push)?;
        self.run(transaction)?;
        self.last_push()
    }

    pub(crate) fn put_push(&self, push: &Push) -> Result<i64, SqlError> {
        let transaction = Transaction::default();
        add_push(&transaction, push)?;
        self.run(transaction)?;
        self.last_push()
    }

    fn last_push(&self) -> Result<i64, SqlError> {
        let rows = self.rows("SELECT MAX(id) FROM pushes", vec![])?;
        rows.first().map_or(Err(SqlError::Column), |row| integer(row, 0))
    }

    pub(crate) fn push(&self, id: i64) -> Result<Option<Push>, SqlError> {
        let rows = self.rows("SELECT row FROM pushes WHERE id = ?", vec![id.into()])?;
        rows.first().map(|row| decoded(row, 0)).transpose()
    }

    pub(crate) fn due_pushes(&self, now: u64) -> Result<Vec<i64>, SqlError> {
        let query = "SELECT id FROM pushes WHERE due_at <= ? ORDER BY due_at, id";
        self.rows(query, vec![(now as i64).into()])?.iter().map(|row| integer(row, 0)).collect()
    }

    /// Changes a push, or ends it.
    pub(crate) fn replace_push(&self, id: i64, push: Option<&Push>) -> Result<(), SqlError> {
        let transaction = Transaction::default();
        match push {
            Some(push) => transaction.add(
                "UPDATE pushes SET due_at = ?, row = ? WHERE id = ?",
                [number(push.due_at), binary(push)?, JsValue::from_f64(id as f64)],
            ),
            None => transaction.add("DELETE FROM pushes WHERE id = ?", [JsValue::from_f64(id as f64)]),
        }
        self.run(transaction)
    }

    /// Keeps a batch, once. Returns how many of the oldest went for it, where there are too many.
    pub(crate) fn park(&self, parked: &Parked, count_max: u64) -> Result<u64, SqlError> {
        let transaction = Transaction::default();
        let query = "INSERT OR IGNORE INTO parked (id, row) VALUES (?, ?)";
        transaction.add(query, [parked.id.as_str().into(), binary(parked)?]);
        self.run(transaction)?;
        let rows = self.rows("SELECT COUNT(*) FROM parked", vec![])?;
        let count = rows.first().map_or(Err(SqlError::Column), |row| integer(row, 0))? as u64;
        let excess = count.saturating_sub(count_max);
        if excess > 0 {
            let query = "DELETE FROM parked WHERE place IN (SELECT place FROM parked ORDER BY place LIMIT ?)";
            self.rows(query, vec![(excess as i64).into()])?;
        }
        Ok(excess)
    }

    /// By place.
    pub(crate) fn parked_after(&self, after: u64, limit: u32) -> Result<Vec<(u64, Parked)>, SqlError> {
        let query = "SELECT place, row FROM parked WHERE place > ? ORDER BY place LIMIT ?";
        let rows = self.rows(query, vec![(after as i64).into(), i64::from(limit).into()])?;
        rows.iter().map(|row| Ok((integer(row, 0)? as u64, decoded(row, 1)?))).collect()
    }

    pub(crate) fn parked(&self, id: &str) -> Result<Option<Parked>, SqlError> {
        let rows = self.rows("SELECT row FROM parked WHERE id = ?", vec![id.into()])?;
        rows.first().map(|row| decoded(row, 0)).transpose()
    }

    /// Whether it was there.
    pub(crate) fn unpark(&self, id: &str) -> Result<bool, SqlError> {
        let rows = self.rows("DELETE FROM parked WHERE id = ? RETURNING place", vec![id.into()])?;
        Ok(!rows.is_empty())
    }

    fn rows(&self, query: &str, bindings: Vec<SqlStorageValue>) -> Result<Vec<Row>, SqlError> {
        let cursor = self.sql.exec(query, bindings)?;
        cursor.raw().map(|row| row.map_err(SqlError::Statement)).collect()
    }

    fn run(&self, transaction: Transaction) -> Result<(), SqlError> {
        transaction.run(self.storage.as_raw()).map_err(|error| SqlError::Transaction(format!("{error:?}")))
    }
}

/// The oldest give way to it at the bound.
fn add_push(transaction: &Transaction, push: &Push) -> Result<(), SqlError> {
    let query = "DELETE FROM pushes WHERE id <= (SELECT MAX(id) FROM pushes) - ?";
    transaction.add(query, [number(directory_core::push::PUSHES_MAX as u64 - 1)]);
    transaction.add("INSERT INTO pushes (due_at, row) VALUES (?, ?)", [number(push.due_at), binary(push)?]);
    Ok(())
}

fn binary<T: Serialize>(value: &T) -> Result<JsValue, SqlError> {
    Ok(Uint8Array::from(rmp_serde::to_vec_named(value)?.as_slice()).into())
}

fn number(value: u64) -> JsValue {
    JsValue::from_f64(value as f64)
}

fn decoded<T: DeserializeOwned>(row: &Row, column: usize) -> Result<T, SqlError> {
    match row.get(column) {
        Some(SqlStorageValue::Blob(bytes)) => Ok(rmp_serde::from_slice(bytes)?),
        _ => Err(SqlError::Column),
    }
}

fn integer(row: &Row, column: usize) -> Result<i64, SqlError> {
    match row.get(column) {
        Some(SqlStorageValue::Integer(value)) => Ok(*value),
        Some(SqlStorageValue::Float(value)) => Ok(*value as i64),
        _ => Err(SqlError::Column),
    }
}

fn text(row: &Row, column: usize) -> Result<&str, SqlError> {
    match row.get(column) {
        Some(SqlStorageValue::String(text)) => Ok(text),
        _ => Err(SqlError::Column),
    }
}
