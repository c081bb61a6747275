//! A room's storage on the object's SQLite: [`room_core::Storage`].
//!
//! * [`layout`]: the tables, and how older ones become them. They are made by the first commit, since waking must not
//!   write.
//! * [`commit`]: one flush as one transaction.
//! * [`team`]: values and statements of the room's behavior.
//! * [`values`]: what SQLite gives and takes.

use std::cell::Cell;

use room_core::{
    MemberRow, Row, Storage, StorageError,
    outbox::{LoadedOutbox, OutboxMark, OutboxState, OutboxWrites},
    storage::{
        KeyCount, KeyRange, KeyRow, Loaded, Mark, Meta, ReactionKey, Reactions, Rows, SqlError, SqlRows,
        SqlValue, StateRow, TimerRow, Writes,
    },
};
use schemas::{Offset, http::ScopedKey, server_message::Reaction, webhook::EventKind};
use wasm_bindgen::{JsCast, JsValue};
use worker::{SqlStorage, SqlStorageValue, durable::Storage as ObjectStorage};

mod commit;
mod layout;
mod team;
mod values;

use deployment::transaction::Transaction;
use values::{
    blob, count, failed, integer, key_row, maybe, meta, offset, payload, scope_text, text, user, value_text,
    whole,
};

/// A statement takes at most so many bindings.
const BINDINGS_MAX: usize = 100;

pub(crate) struct RoomSql {
    storage: ObjectStorage,
    sql: SqlStorage,
    state: Cell<Known>,
}

/// What is known of the database.
#[derive(Clone, Copy, Default)]
struct Known {
    has_tables: bool,
    has_written: bool,
    has_wiped: bool,
}

type SqlRow = Vec<SqlStorageValue>;

impl RoomSql {
    /// Opens what is there, brings it to this layout, and reads what a room is rebuilt from. Writes nothing but a
    /// migration.
    ///
    /// # Errors
    /// When reading fails, or newer code wrote the tables.
    pub(crate) fn open(storage: ObjectStorage, now: u64) -> Result<(RoomSql, Loaded), StorageError> {
        let sql = storage.sql();
        let room = RoomSql { storage, sql, state: Cell::default() };
        let has_tables = layout::open(&room, now)?;
        room.know(|known| known.has_tables = has_tables);
        let loaded = if has_tables { room.load()? } else { Loaded::default() };
        Ok((room, loaded))
    }

    /// Whether anything was committed since the last time this was asked.
    pub(crate) fn take_has_written(&mut self) -> bool {
        std::mem::take(&mut self.state.get_mut().has_written)
    }

    /// Whether everything was deleted since the last time this was asked.
    pub(crate) fn take_has_wiped(&mut self) -> bool {
        std::mem::take(&mut self.state.get_mut().has_wiped)
    }

    fn know(&self, change: impl FnOnce(&mut Known)) {
        let mut known = self.state.get();
        change(&mut known);
        self.state.set(known);
    }

    fn load(&self) -> Result<Loaded, StorageError> {
        let query = "SELECT epoch, head, bytes_total, time, state_version, lifecycle, since, created_at, \
                     active_at FROM room";
        let found: Option<Meta> = self.rows(query, vec![])?.first().map(|row| meta(row)).transpose()?;
        let mark = |order: &str| -> Result<Option<Mark>, StorageError> {
            let query =
                format!("SELECT \"offset\", time, bytes_total FROM log ORDER BY \"offset\" {order} LIMIT 1");
            self.rows(&query, vec![])?.first().map(|row| read_mark(row)).transpose()
        };
        Ok(Loaded {
            meta: found,
            log: mark("ASC")?.zip(mark("DESC")?),
            members: self
                .rows("SELECT row FROM members", vec![])?
                .iter()
                .map(|row| decoded::<MemberRow>(blob(row, 0)?, "member"))
                .collect::<Result<_, _>>()?,
            state: self
                .rows("SELECT key, row FROM state", vec![])?
                .iter()
                .map(|row| Ok((text(row, 0)?.to_owned(), decoded::<StateRow>(blob(row, 1)?, "state")?)))
                .collect::<Result<_, _>>()?,
            keys: self.key_count()?,
            outbox: self.load_outbox()?,
            blocks: self
                .rows("SELECT user, until FROM blocks", vec![])?
                .iter()
                .map(|row| Ok((user(row, 0)?, whole(row, 1)?)))
                .collect::<Result<_, _>>()?,
            timers: self
                .rows("SELECT row FROM timers", vec![])?
                .iter()
                .map(|row| decoded::<TimerRow>(blob(row, 0)?, "timer"))
                .collect::<Result<_, _>>()?,
        })
    }

    /// A room that tells nobody pays one look.
    fn load_outbox(&self) -> Result<LoadedOutbox, StorageError> {
        let found = self.rows("SELECT row FROM outbox_state", vec![])?;
        let Some(row) = found.first() else { return Ok(LoadedOutbox::default()) };
        let query = "SELECT number, kind, about, length(CAST(event AS BLOB)) FROM outbox ORDER BY number";
        let mark = |row: &SqlRow| -> Result<OutboxMark, StorageError> {
            let kind = EventKind::parse(text(row, 1)?);
            Ok(OutboxMark {
                number: whole(row, 0)?,
                kind: kind.ok_or_else(|| StorageError("the kind of an event cannot be read".into()))?,
                about: maybe(row, 2)?.and_then(Offset::new),
                bytes: count(row, 3)?,
            })
        };
        let marks = self.rows(query, vec![])?.iter().map(mark).collect::<Result<_, _>>()?;
        Ok(LoadedOutbox { state: Some(decoded::<OutboxState>(blob(row, 0)?, "outbox")?), marks })
    }

    fn rows(&self, query: &str, bindings: Vec<SqlStorageValue>) -> Result<Vec<SqlRow>, StorageError> {
        let cursor = self.sql.exec(query, bindings).map_err(failed)?;
        cursor.raw().map(|row| row.map_err(failed)).collect()
    }

    /// Rows of the tables, of which a room that was never used has none.
    fn found(&self, query: &str, bindings: Vec<SqlStorageValue>) -> Result<Vec<SqlRow>, StorageError> {
        if self.state.get().has_tables { self.rows(query, bindings) } else { Ok(Vec::new()) }
    }

    fn log_rows(&self, query: &str, bindings: Vec<SqlStorageValue>) -> Result<Vec<Row>, StorageError> {
        let rows = self.found(query, bindings)?;
        rows.into_iter()
            .map(|row| Ok(Row { body: blob(&row, 0)?.to_vec(), data: payload(&row, 1)? }))
            .collect()
    }

    fn run(&self, transaction: Transaction) -> Result<(), StorageError> {
        #[cfg(feature = "faults")]
        crate::faults::spoil(&transaction);
        transaction.run(self.storage.as_raw()).map_err(|error| StorageError(format!("{error:?}")))?;
        self.know(|known| known.has_written = true);
        Ok(())
    }
}

fn read_mark(row: &[SqlStorageValue]) -> Result<Mark, StorageError> {
    Ok(Mark { offset: offset(row, 0)?, time: whole(row, 1)?, bytes_total: whole(row, 2)? })
}

fn decoded<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, StorageError> {
    rmp_serde::from_slice(bytes)
        .map_err(|error| StorageError(format!("a row of a {what} cannot be read: {error}")))
}

fn only(rows: Rows) -> &'static str {
    match rows {
        Rows::All => "",
        Rows::Messages => "AND ref IS NULL",
    }
}

impl Storage for RoomSql {
    fn commit(&mut self, writes: &Writes) -> Result<(), StorageError> {
        let transaction = Transaction::default();
        if !self.state.get().has_tables {
            layout::make_tables(&transaction);
        }
        commit::add(&transaction, writes)?;
        self.run(transaction)?;
        self.know(|known| known.has_tables = true);
        Ok(())
    }

    fn wipe(&mut self, outbox: Option<&OutboxWrites>) -> Result<(), StorageError> {
        let transaction = Transaction::default();
        team::drop_made(self, &layout::names(), &transaction)?;
        match outbox {
            Some(writes) => {
                layout::empty_tables(&transaction);
                commit::add_outbox(&transaction, writes)?;
            }
            None => layout::drop_tables(&transaction),
        }
        self.run(transaction)?;
        self.know(|known| {
            known.has_tables = outbox.is_some();
            known.has_wiped = true;
        });
        Ok(())
    }

    fn read_after(&self, after: Offset, limit: usize, rows: Rows) -> Result<Vec<Row>, StorageError> {
        let only = only(rows);
        let query =
            format!("SELECT body, data FROM log WHERE \"offset\" > ? {only} ORDER BY \"offset\" ASC LIMIT ?");
        self.log_rows(&query, vec![integer(after.value()), integer(limit as u64)])
    }

    fn read_before(&self, before: Offset, limit: usize, rows: Rows) -> Result<Vec<Row>, StorageError> {
        let only = only(rows);
        let query = format!(
            "SELECT body, data FROM log WHERE \"offset\" < ? {only} ORDER BY \"offset\" DESC LIMIT ?"
        );
        self.log_rows(&query, vec![integer(before.value()), integer(limit as u64)])
    }

    fn first_kept(
        &self,
        after: Offset,
        time_min: u64,
        bytes_total_min: u64,
    ) -> Result<Option<Mark>, StorageError> {
        let query = "SELECT \"offset\", time, bytes_total FROM log WHERE \"offset\" > ? AND time >= ? \
                     AND bytes_total > ? ORDER BY \"offset\" LIMIT 1";
        let bindings = vec![integer(after.value()), integer(time_min), integer(bytes_total_min)];
        self.found(query, bindings)?.first().map(|row| read_mark(row)).transpose()
    }

    fn last_edits(&self, from: Offset, through: Offset) -> Result<Vec<Row>, StorageError> {
        let query = "SELECT body, data FROM log WHERE \"offset\" IN (SELECT MAX(\"offset\") FROM log \
                     WHERE ref >= ? AND ref <= ? AND verb = 'edit' GROUP BY ref)";
        self.log_rows(query, vec![integer(from.value()), integer(through.value())])
    }

    fn reactions(
        &self,
        from: Offset,
        through: Offset,
        users_max: u32,
    ) -> Result<Vec<Reactions>, StorageError> {
        let query = "SELECT target, name, user, n FROM (SELECT target, name, user, \
                     COUNT(*) OVER (PARTITION BY target, name) AS n, \
                     ROW_NUMBER() OVER (PARTITION BY target, name ORDER BY at) AS k \
                     FROM reactions WHERE target >= ? AND target <= ?) WHERE k <= ? \
                     ORDER BY target, name, k";
        let bindings = vec![integer(from.value()), integer(through.value()), integer(users_max.into())];
        let mut found: Vec<Reactions> = Vec::new();
        for row in self.found(query, bindings)? {
            let (target, name, user) = (offset(&row, 0)?, text(&row, 1)?, user(&row, 2)?);
            match found.last_mut().filter(|last| last.target == target && last.name == name) {
                Some(last) => last.reaction.users.push(user),
                None => {
                    let reaction = Reaction { count: count(&row, 3)?, users: vec![user] };
                    found.push(Reactions { target, name: name.to_owned(), reaction });
                }
            }
        }
        Ok(found)
    }

    fn reacted(&self, key: &ReactionKey) -> Result<bool, StorageError> {
        let query = "SELECT 1 FROM reactions WHERE target = ? AND name = ? AND user = ?";
        let bindings =
            vec![integer(key.target.value()), value_text(&key.name), value_text(key.user.as_str())];
        Ok(!self.found(query, bindings)?.is_empty())
    }

    fn reaction_names(&self, target: Offset) -> Result<Vec<(String, u32)>, StorageError> {
        let query = "SELECT name, COUNT(*) FROM reactions WHERE target = ? GROUP BY name";
        let rows = self.found(query, vec![integer(target.value())])?;
        rows.iter().map(|row| Ok((text(row, 0)?.to_owned(), count(row, 1)?))).collect()
    }

    fn key_count(&self) -> Result<KeyCount, StorageError> {
        match self.found("SELECT COUNT(*), MIN(at) FROM keys", vec![])?.first() {
            Some(row) => Ok(KeyCount { count: whole(row, 0)?, oldest_at: maybe(row, 1)? }),
            None => Ok(KeyCount::default()),
        }
    }

    fn read_keys(&self, keys: &[ScopedKey]) -> Result<Vec<KeyRow>, StorageError> {
        let mut found = Vec::new();
        for keys in keys.chunks(BINDINGS_MAX / 2) {
            let pairs = vec!["(?, ?)"; keys.len()].join(", ");
            let query = format!(
                "SELECT scope, key, \"offset\", at, hash FROM keys WHERE (scope, key) IN (VALUES {pairs})"
            );
            let bindings =
                keys.iter().flat_map(|key| [value_text(&scope_text(&key.scope)), value_text(&key.key)]);
            for row in self.found(&query, bindings.collect())? {
                found.push(key_row(&row)?);
            }
        }
        Ok(found)
    }

    fn read_values(&self, keys: &[&str]) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        team::read(self, keys)
    }

    fn list_values(&self, range: &KeyRange) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        team::list(self, range)
    }

    fn sql(&self, query: &str, bindings: &[SqlValue]) -> Result<SqlRows, SqlError> {
        if !self.state.get().has_tables {
            // Ahead of a behavior's own, which cannot take their names then.
            let transaction = Transaction::default();
            layout::make_tables(&transaction);
            self.run(transaction).map_err(|error| SqlError(error.0))?;
            self.know(|known| known.has_tables = true);
        }
        let rows = team::execute(self, query, bindings)?;
        if rows.written > 0 {
            self.know(|known| known.has_written = true);
        }
        Ok(rows)
    }

    fn transact(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Storage) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let storage = JsValue::from(self.storage.as_raw());
        let before = self.state.get();
        let mut result = Err(StorageError("the transaction did not run".into()));
        let done = team::transact(storage.unchecked_ref(), &mut || {
            result = work(self);
            result.is_ok()
        });
        let result = done.and(result);
        if result.is_err() {
            self.state.set(before);
        }
        result
    }

    fn savepoint(&self, work: &mut dyn FnMut() -> bool) -> Result<(), StorageError> {
        let before = self.state.get();
        let mut stays = false;
        let done = team::transact(self.storage.as_raw(), &mut || {
            stays = work();
            stays
        });
        if !stays || done.is_err() {
            self.state.set(before);
        }
        done
    }

    fn read_outbox(&self, numbers: &[u64]) -> Result<Vec<String>, StorageError> {
        let mut events = Vec::new();
        for numbers in numbers.chunks(BINDINGS_MAX) {
            let marks = vec!["?"; numbers.len()].join(", ");
            let query = format!("SELECT event FROM outbox WHERE number IN ({marks}) ORDER BY number");
            let bindings = numbers.iter().map(|number| integer(*number)).collect();
            for row in self.found(&query, bindings)? {
                events.push(text(&row, 0)?.to_owned());
            }
        }
        Ok(events)
    }
}
