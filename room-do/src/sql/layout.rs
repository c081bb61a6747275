//! The tables, and how older ones become them.

use room_core::StorageError;
use worker::SqlStorageValue;

use super::{
    RoomSql,
    values::{text, whole},
};
use deployment::transaction::Transaction;

/// The layout that this code writes.
pub(super) const LAYOUT: u64 = 4;

/// What may outlive the room.
const OUTBOX: [&str; 2] = ["outbox", "outbox_state"];

const TABLES: [(&str, &str); 11] = [
    (
        "room",
        "(id INTEGER PRIMARY KEY CHECK (id = 1), schema INTEGER NOT NULL, epoch TEXT NOT NULL, \
         head INTEGER NOT NULL, bytes_total INTEGER NOT NULL, time INTEGER NOT NULL, \
         state_version INTEGER NOT NULL, lifecycle TEXT NOT NULL, since INTEGER NOT NULL, created_at INTEGER NOT NULL, \
         active_at INTEGER NOT NULL)",
    ),
    (
        "log",
        "(\"offset\" INTEGER PRIMARY KEY, time INTEGER NOT NULL, bytes_total INTEGER NOT NULL, \
         body BLOB NOT NULL, data, ref INTEGER, verb TEXT)",
    ),
    (
        "members",
        "(user TEXT NOT NULL, session TEXT NOT NULL, row BLOB NOT NULL, PRIMARY KEY (user, session)) \
         WITHOUT ROWID",
    ),
    (
        "reactions",
        "(target INTEGER NOT NULL, name TEXT NOT NULL, user TEXT NOT NULL, at INTEGER NOT NULL, \
         PRIMARY KEY (target, name, user)) WITHOUT ROWID",
    ),
    (
        "keys",
        "(scope TEXT NOT NULL, key TEXT NOT NULL, \"offset\" INTEGER NOT NULL, at INTEGER NOT NULL, \
         hash BLOB NOT NULL, PRIMARY KEY (scope, key)) WITHOUT ROWID",
    ),
    ("state", "(key TEXT PRIMARY KEY, row BLOB NOT NULL) WITHOUT ROWID"),
    ("blocks", "(user TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID"),
    ("stored", "(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"),
    ("timers", "(name TEXT PRIMARY KEY, row BLOB NOT NULL) WITHOUT ROWID"),
    (OUTBOX[0], "(number INTEGER PRIMARY KEY, kind TEXT NOT NULL, about INTEGER, event TEXT NOT NULL)"),
    (OUTBOX[1], "(id INTEGER PRIMARY KEY CHECK (id = 1), row BLOB NOT NULL)"),
];

const INDEXES: [&str; 2] = [
    "CREATE INDEX IF NOT EXISTS log_ref ON log (ref, verb) WHERE ref IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS keys_at ON keys (at)",
];

/// What makes layout 2 of layout 1, ahead of the tables and indexes that are new. The life of a room that has none
/// begins anew: nothing may expire for what was not written down.
const FROM_1: [&str; 9] = [
    "ALTER TABLE log ADD COLUMN data",
    "ALTER TABLE log ADD COLUMN ref INTEGER",
    "ALTER TABLE log ADD COLUMN verb TEXT",
    "ALTER TABLE room ADD COLUMN time INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE room ADD COLUMN state_version INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE room ADD COLUMN lifecycle TEXT NOT NULL DEFAULT 'vacant'",
    "ALTER TABLE room ADD COLUMN since INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE room ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE room ADD COLUMN active_at INTEGER NOT NULL DEFAULT 0",
];

/// Of all tables.
pub(super) fn names() -> [&'static str; TABLES.len()] {
    TABLES.map(|(name, _)| name)
}

pub(super) fn make_tables(transaction: &Transaction) {
    for (name, columns) in TABLES {
        transaction.add(&format!("CREATE TABLE IF NOT EXISTS {name} {columns}"), []);
    }
    for index in INDEXES {
        transaction.add(index, []);
    }
}

pub(super) fn drop_tables(transaction: &Transaction) {
    for (name, _) in TABLES {
        transaction.add(&format!("DROP TABLE IF EXISTS {name}"), []);
    }
}

/// All but the events that wait for webhook endpoints.
pub(super) fn empty_tables(transaction: &Transaction) {
    for (name, _) in TABLES.iter().filter(|(name, _)| !OUTBOX.contains(name)) {
        transaction.add(&format!("DROP TABLE IF EXISTS {name}"), []);
    }
    make_tables(transaction);
    transaction.add("UPDATE outbox SET about = NULL", []);
}

/// Whether there are tables; older ones are brought to this layout.
pub(super) fn open(room: &RoomSql, now: u64) -> Result<bool, StorageError> {
    let tables = room.rows("SELECT name FROM sqlite_master WHERE type = 'table'", vec![])?;
    let has = |name: &str| tables.iter().any(|row| text(row, 0).is_ok_and(|found| found == name));
    if !has("room") {
        return Ok(false);
    }
    let written: Option<u64> = room
        .rows("SELECT schema FROM room", vec![])?
        .first()
        .map(|row: &Vec<SqlStorageValue>| whole(row, 0))
        .transpose()?;
    // A room that kept no log left no row; each layout has a table that the one before lacks.
    let unwritten = [("timers", 4), ("blocks", 3), ("keys", 2)].into_iter().find(|(table, _)| has(table));
    let layout = written.unwrap_or(unwritten.map_or(1, |(_, layout)| layout));
    if layout > LAYOUT {
        let message = format!("layout {layout} was written by newer code; this code knows {LAYOUT}");
        return Err(StorageError(message));
    }
    if layout < LAYOUT {
        migrate(room, layout, now)?;
    }
    Ok(true)
}

/// What layouts 3 and 4 add to the one before are tables.
fn migrate(room: &RoomSql, from: u64, now: u64) -> Result<(), StorageError> {
    let transaction = Transaction::default();
    if from == 1 {
        for statement in FROM_1 {
            transaction.add(statement, []);
        }
        let begin = "UPDATE room SET since = ?1, created_at = ?1, active_at = ?1";
        transaction.add(begin, [super::values::number(now)]);
    }
    make_tables(&transaction);
    transaction.add(&format!("UPDATE room SET schema = {LAYOUT}"), []);
    transaction.run(room.storage.as_raw()).map_err(|error| StorageError(format!("migration: {error:?}")))
}
