//! A room's storage on the object's SQLite.
//!
//! Three tables: `room` (one row: the layout's version, the log's identity), `log`, `members`. They are made by the
//! first commit, since waking must not write. A commit is one transaction, appends are many rows a statement: a
//! statement takes at most 100 bindings.

use js_sys::Uint8Array;
use room_core::{
    MemberRow, Storage, StorageError,
    storage::{Append, Loaded, Mark, Meta, Writes},
};
use schemas::{Epoch, Offset};
use wasm_bindgen::JsValue;
use worker::{SqlStorage, SqlStorageValue, durable::Storage as ObjectStorage};

use crate::platform::transaction::Transaction;

/// The layout that this code writes. Newer layouts are refused, older ones would be migrated.
const SCHEMA: i64 = 1;

const TABLES: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS room (id INTEGER PRIMARY KEY CHECK (id = 1), schema INTEGER NOT NULL, \
     epoch TEXT NOT NULL, head INTEGER NOT NULL, bytes_total INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS log (\"offset\" INTEGER PRIMARY KEY, time INTEGER NOT NULL, \
     bytes_total INTEGER NOT NULL, body BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS members (user TEXT NOT NULL, session TEXT NOT NULL, row BLOB NOT NULL, \
     PRIMARY KEY (user, session)) WITHOUT ROWID",
];

const APPEND_COLUMNS: usize = 4;
const BINDINGS_MAX: usize = 100;
const APPENDS_PER_STATEMENT: usize = BINDINGS_MAX / APPEND_COLUMNS;

pub(crate) struct LogSql {
    storage: ObjectStorage,
    sql: SqlStorage,
    has_tables: bool,
    has_written: bool,
}

impl LogSql {
    /// Opens what is there and reads what a room is rebuilt from. Writes nothing.
    ///
    /// # Errors
    /// When reading fails, or newer code wrote the tables.
    pub(crate) fn open(storage: ObjectStorage) -> Result<(LogSql, Loaded), StorageError> {
        let sql = storage.sql();
        let mut log = LogSql { storage, sql, has_tables: false, has_written: false };
        let found = log.rows("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'room'", vec![])?;
        log.has_tables = !found.is_empty();
        let loaded = if log.has_tables { log.load()? } else { Loaded::default() };
        Ok((log, loaded))
    }

    /// Whether anything was committed since the last time this was asked.
    pub(crate) fn take_has_written(&mut self) -> bool {
        std::mem::take(&mut self.has_written)
    }

    fn load(&self) -> Result<Loaded, StorageError> {
        let meta = match self.rows("SELECT schema, epoch, head, bytes_total FROM room", vec![])?.first() {
            None => None,
            Some(row) => Some(read_meta(row)?),
        };
        let mark = |order: &str| -> Result<Option<Mark>, StorageError> {
            let query =
                format!("SELECT \"offset\", time, bytes_total FROM log ORDER BY \"offset\" {order} LIMIT 1");
            self.rows(&query, vec![])?.first().map(|row| read_mark(row)).transpose()
        };
        let log = mark("ASC")?.zip(mark("DESC")?);
        let members = self
            .rows("SELECT row FROM members", vec![])?
            .iter()
            .map(|row| {
                let bytes = blob(row, 0)?;
                rmp_serde::from_slice::<MemberRow>(bytes)
                    .map_err(|error| StorageError(format!("a member row cannot be read: {error}")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Loaded { meta, log, members })
    }

    fn rows(
        &self,
        query: &str,
        bindings: Vec<SqlStorageValue>,
    ) -> Result<Vec<Vec<SqlStorageValue>>, StorageError> {
        let cursor = self.sql.exec(query, bindings).map_err(failed)?;
        cursor.raw().map(|row| row.map_err(failed)).collect()
    }

    fn bodies(&self, query: &str, bindings: Vec<SqlStorageValue>) -> Result<Vec<Vec<u8>>, StorageError> {
        if !self.has_tables {
            return Ok(Vec::new());
        }
        self.rows(query, bindings)?.into_iter().map(|row| blob(&row, 0).map(<[u8]>::to_vec)).collect()
    }
}

impl Storage for LogSql {
    fn commit(&mut self, writes: &Writes) -> Result<(), StorageError> {
        let transaction = Transaction::default();
        if !self.has_tables {
            for table in TABLES {
                transaction.add(table, []);
            }
        }
        if let Some(meta) = &writes.meta {
            let query = "INSERT INTO room (id, schema, epoch, head, bytes_total) VALUES (1, ?, ?, ?, ?) \
                         ON CONFLICT (id) DO UPDATE SET schema = excluded.schema, epoch = excluded.epoch, \
                         head = excluded.head, bytes_total = excluded.bytes_total";
            let epoch = JsValue::from_str(&meta.epoch.to_string());
            transaction.add(
                query,
                [number(SCHEMA as u64), epoch, number(meta.head.value()), number(meta.bytes_total)],
            );
        }
        for appends in writes.appends.chunks(APPENDS_PER_STATEMENT) {
            append(&transaction, appends);
        }
        for row in &writes.members_put {
            let bytes = rmp_serde::to_vec_named(row).map_err(|error| StorageError(error.to_string()))?;
            let query = "INSERT OR REPLACE INTO members (user, session, row) VALUES (?, ?, ?)";
            transaction.add(query, [row.user.as_str().into(), row.session.as_str().into(), binary(&bytes)]);
        }
        for (user, session) in &writes.members_removed {
            let query = "DELETE FROM members WHERE user = ? AND session = ?";
            transaction.add(query, [user.as_str().into(), session.as_str().into()]);
        }
        if let Some(through) = writes.trim_through {
            transaction.add("DELETE FROM log WHERE \"offset\" <= ?", [number(through.value())]);
        }
        transaction.run(self.storage.as_raw()).map_err(|error| StorageError(format!("{error:?}")))?;
        self.has_tables = true;
        self.has_written = true;
        Ok(())
    }

    fn read_after(&self, after: Offset, limit: usize) -> Result<Vec<Vec<u8>>, StorageError> {
        let query = "SELECT body FROM log WHERE \"offset\" > ? ORDER BY \"offset\" ASC LIMIT ?";
        self.bodies(query, vec![integer(after.value()), integer(limit as u64)])
    }

    fn read_before(&self, before: Offset, limit: usize) -> Result<Vec<Vec<u8>>, StorageError> {
        let query = "SELECT body FROM log WHERE \"offset\" < ? ORDER BY \"offset\" DESC LIMIT ?";
        self.bodies(query, vec![integer(before.value()), integer(limit as u64)])
    }

    fn first_kept(
        &self,
        after: Offset,
        time_min: u64,
        bytes_total_min: u64,
    ) -> Result<Option<Mark>, StorageError> {
        if !self.has_tables {
            return Ok(None);
        }
        let query = "SELECT \"offset\", time, bytes_total FROM log WHERE \"offset\" > ? AND time >= ? \
                     AND bytes_total > ? ORDER BY \"offset\" LIMIT 1";
        let bindings = vec![integer(after.value()), integer(time_min), integer(bytes_total_min)];
        self.rows(query, bindings)?.first().map(|row| read_mark(row)).transpose()
    }
}

fn append(transaction: &Transaction, appends: &[Append]) {
    let rows = vec!["(?, ?, ?, ?)"; appends.len()].join(", ");
    let query = format!("INSERT INTO log (\"offset\", time, bytes_total, body) VALUES {rows}");
    let bindings = appends.iter().flat_map(|append| {
        [number(append.offset.value()), number(append.time), number(append.bytes_total), binary(&append.body)]
    });
    transaction.add(&query, bindings);
}

fn read_meta(row: &[SqlStorageValue]) -> Result<Meta, StorageError> {
    let schema = whole(row, 0)?;
    if schema as i64 > SCHEMA {
        return Err(StorageError(format!(
            "layout {schema} was written by newer code; this code knows {SCHEMA}"
        )));
    }
    let epoch = match row.get(1) {
        Some(SqlStorageValue::String(text)) => Epoch::parse(text),
        _ => None,
    };
    let epoch = epoch.ok_or_else(|| StorageError("the room's epoch cannot be read".into()))?;
    Ok(Meta { epoch, head: offset(row, 2)?, bytes_total: whole(row, 3)? })
}

fn read_mark(row: &[SqlStorageValue]) -> Result<Mark, StorageError> {
    Ok(Mark { offset: offset(row, 0)?, time: whole(row, 1)?, bytes_total: whole(row, 2)? })
}

fn whole(row: &[SqlStorageValue], column: usize) -> Result<u64, StorageError> {
    let value = match row.get(column) {
        Some(SqlStorageValue::Integer(value)) => u64::try_from(*value).ok(),
        Some(SqlStorageValue::Float(value)) if *value >= 0.0 => Some(*value as u64),
        _ => None,
    };
    value.ok_or_else(|| StorageError(format!("column {column} is not a whole number")))
}

fn offset(row: &[SqlStorageValue], column: usize) -> Result<Offset, StorageError> {
    Offset::new(whole(row, column)?).ok_or_else(|| StorageError("an offset is not below 2^53".into()))
}

fn blob(row: &[SqlStorageValue], column: usize) -> Result<&[u8], StorageError> {
    match row.get(column) {
        Some(SqlStorageValue::Blob(bytes)) => Ok(bytes),
        _ => Err(StorageError(format!("column {column} is not a blob"))),
    }
}

fn number(value: u64) -> JsValue {
    JsValue::from_f64(value as f64)
}

fn integer(value: u64) -> SqlStorageValue {
    SqlStorageValue::Integer(value as i64)
}

fn binary(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

fn failed(error: worker::Error) -> StorageError {
    StorageError(error.to_string())
}
