//! Storage in memory, with an SQLite in memory beside it for the behavior's own tables.

use room_core::{
    Row, Storage, StorageError,
    outbox::OutboxWrites,
    storage::{
        KeyCount, KeyRange, KeyRow, Loaded, Mark, MemoryStorage, ReactionKey, Reactions, Rows, SqlError,
        SqlRows, SqlValue, Writes,
    },
};
use rusqlite::{Connection, fallible_iterator::FallibleIterator as _, types::Value};
use schemas::{Offset, http::ScopedKey};

/// Names that the room's own tables have in a deployment: a team's may not take them.
const TAKEN: [&str; 11] = [
    "room",
    "log",
    "members",
    "reactions",
    "keys",
    "state",
    "blocks",
    "outbox",
    "outbox_state",
    "stored",
    "timers",
];

#[derive(Debug)]
pub(crate) struct TestStorage {
    memory: MemoryStorage,
    sql: Connection,
    /// So many of the next transactions fail.
    fails: u32,
    /// So many before them do not.
    spared: u32,
    is_transacting: bool,
}

impl TestStorage {
    pub(crate) fn new() -> TestStorage {
        TestStorage {
            memory: MemoryStorage::default(),
            sql: database(),
            fails: 0,
            spared: 0,
            is_transacting: false,
        }
    }

    pub(crate) fn load(&self) -> Loaded {
        self.memory.load()
    }

    pub(crate) fn fail_commits(&mut self, spared: u32, count: u32) {
        (self.spared, self.fails) = (spared, count);
    }

    fn fault(&mut self) -> Result<(), StorageError> {
        if self.is_transacting || self.fails == 0 {
            return Ok(());
        }
        if self.spared > 0 {
            self.spared -= 1;
            return Ok(());
        }
        self.fails -= 1;
        Err(StorageError("a fault was asked for".to_owned()))
    }

    /// One statement, or, without bindings, several.
    fn run(&self, query: &str, bindings: &[SqlValue]) -> rusqlite::Result<SqlRows> {
        if bindings.is_empty() {
            let mut last = SqlRows::default();
            let mut batch = rusqlite::Batch::new(&self.sql, query);
            while let Some(mut statement) = batch.next()? {
                last = rows(&self.sql, &mut statement, &[])?;
            }
            return Ok(last);
        }
        let mut statement = self.sql.prepare(query)?;
        rows(&self.sql, &mut statement, bindings)
    }

    fn check_names(&self) -> Result<(), SqlError> {
        let mut found =
            self.sql.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").map_err(refused)?;
        let names = found.query_map([], |row| row.get::<_, String>(0)).map_err(refused)?;
        let mut names = names.filter_map(Result::ok);
        match names.find(|name| TAKEN.contains(&name.as_str())) {
            Some(name) => {
                Err(SqlError(format!("table {name} already exists: the room has one of that name")))
            }
            None => Ok(()),
        }
    }
}

fn database() -> Connection {
    Connection::open_in_memory().expect("memory can be opened")
}

fn refused(error: rusqlite::Error) -> SqlError {
    SqlError(error.to_string())
}

fn rows(
    sql: &Connection,
    statement: &mut rusqlite::Statement<'_>,
    bindings: &[SqlValue],
) -> rusqlite::Result<SqlRows> {
    let columns: Vec<String> = statement.column_names().map(ToOwned::to_owned).collect();
    let changes = sql.total_changes();
    let mut found = statement.query(rusqlite::params_from_iter(bindings.iter().map(bound)))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let values = (0..columns.len()).map(|index| row.get::<_, Value>(index).map(value));
        rows.push(values.collect::<rusqlite::Result<Vec<SqlValue>>>()?);
    }
    drop(found);
    Ok(SqlRows { columns, rows, written: sql.total_changes() - changes })
}

fn bound(value: &SqlValue) -> Value {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(value) => Value::Integer(*value),
        SqlValue::Real(value) => Value::Real(*value),
        SqlValue::Text(value) => Value::Text(value.clone()),
        SqlValue::Blob(value) => Value::Blob(value.clone()),
    }
}

fn value(value: Value) -> SqlValue {
    match value {
        Value::Null => SqlValue::Null,
        Value::Integer(value) => SqlValue::Integer(value),
        // As the platform gives it: it knows no whole number that is not an integer.
        Value::Real(value) if value.fract() == 0.0 => SqlValue::Integer(value as i64),
        Value::Real(value) => SqlValue::Real(value),
        Value::Text(value) => SqlValue::Text(value),
        Value::Blob(value) => SqlValue::Blob(value),
    }
}

impl Storage for TestStorage {
    fn commit(&mut self, writes: &Writes) -> Result<(), StorageError> {
        self.fault()?;
        self.memory.commit(writes)
    }

    fn wipe(&mut self, outbox: Option<&OutboxWrites>) -> Result<(), StorageError> {
        self.fault()?;
        self.memory.wipe(outbox)?;
        self.sql = database();
        Ok(())
    }

    fn read_after(&self, after: Offset, limit: usize, rows: Rows) -> Result<Vec<Row>, StorageError> {
        self.memory.read_after(after, limit, rows)
    }

    fn read_before(&self, before: Offset, limit: usize, rows: Rows) -> Result<Vec<Row>, StorageError> {
        self.memory.read_before(before, limit, rows)
    }

    fn first_kept(
        &self,
        after: Offset,
        time_min: u64,
        bytes_total_min: u64,
    ) -> Result<Option<Mark>, StorageError> {
        self.memory.first_kept(after, time_min, bytes_total_min)
    }

    fn last_edits(&self, from: Offset, through: Offset) -> Result<Vec<Row>, StorageError> {
        self.memory.last_edits(from, through)
    }

    fn reactions(
        &self,
        from: Offset,
        through: Offset,
        users_max: u32,
    ) -> Result<Vec<Reactions>, StorageError> {
        self.memory.reactions(from, through, users_max)
    }

    fn reacted(&self, key: &ReactionKey) -> Result<bool, StorageError> {
        self.memory.reacted(key)
    }

    fn reaction_names(&self, target: Offset) -> Result<Vec<(String, u32)>, StorageError> {
        self.memory.reaction_names(target)
    }

    fn key_count(&self) -> Result<KeyCount, StorageError> {
        self.memory.key_count()
    }

    fn read_keys(&self, keys: &[ScopedKey]) -> Result<Vec<KeyRow>, StorageError> {
        self.memory.read_keys(keys)
    }

    fn read_values(&self, keys: &[&str]) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        self.memory.read_values(keys)
    }

    fn list_values(&self, range: &KeyRange) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        self.memory.list_values(range)
    }

    fn sql(&self, query: &str, bindings: &[SqlValue]) -> Result<SqlRows, SqlError> {
        let rows = self.run(query, bindings).map_err(refused)?;
        self.check_names()?;
        Ok(rows)
    }

    fn transact(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Storage) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let before = self.memory.clone();
        self.sql.execute_batch("SAVEPOINT flush").map_err(failed)?;
        self.is_transacting = true;
        let done = work(self);
        self.is_transacting = false;
        let done = done.and_then(|()| self.fault());
        if done.is_err() {
            self.memory = before;
            self.sql.execute_batch("ROLLBACK TO flush").map_err(failed)?;
        }
        self.sql.execute_batch("RELEASE flush").map_err(failed)?;
        done
    }

    fn savepoint(&self, work: &mut dyn FnMut() -> bool) -> Result<(), StorageError> {
        self.sql.execute_batch("SAVEPOINT step").map_err(failed)?;
        if !work() {
            self.sql.execute_batch("ROLLBACK TO step").map_err(failed)?;
        }
        self.sql.execute_batch("RELEASE step").map_err(failed)
    }

    fn read_outbox(&self, numbers: &[u64]) -> Result<Vec<String>, StorageError> {
        self.memory.read_outbox(numbers)
    }
}

fn failed(error: rusqlite::Error) -> StorageError {
    StorageError(error.to_string())
}
