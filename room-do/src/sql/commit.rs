//! One flush as statements, in the order of [`Writes`]' fields.

use room_core::{
    StorageError,
    outbox::{OutboxRow, OutboxWrites},
    storage::{Append, Erasure, KeyRow, Meta, ReactionKey, StateRow, Writes},
};
use schemas::{Offset, Payload};
use wasm_bindgen::JsValue;

use super::{
    BINDINGS_MAX,
    layout::LAYOUT,
    values::{binary, lifecycle_text, number, scope_text},
};
use deployment::transaction::Transaction;

pub(super) fn add(transaction: &Transaction, writes: &Writes) -> Result<(), StorageError> {
    if let Some(meta) = &writes.meta {
        put_meta(transaction, meta);
    }
    many(
        transaction,
        "INSERT INTO log (\"offset\", time, bytes_total, body, data, ref, verb)",
        &writes.appends,
        append,
    );
    for erasure in &writes.erasures {
        erase(transaction, erasure);
    }
    many(
        transaction,
        "INSERT OR REPLACE INTO reactions (target, name, user, at)",
        &writes.reactions_put,
        reaction,
    );
    for ReactionKey { target, name, user } in &writes.reactions_removed {
        let query = "DELETE FROM reactions WHERE target = ? AND name = ? AND user = ?";
        transaction.add(query, [number(target.value()), name.into(), user.as_str().into()]);
    }
    many(
        transaction,
        "INSERT OR REPLACE INTO keys (scope, key, \"offset\", at, hash)",
        &writes.keys_put,
        key,
    );
    if let Some(before) = writes.keys_expired {
        transaction.add("DELETE FROM keys WHERE at < ?", [number(before)]);
    }
    if writes.keys_dropped > 0 {
        let query = "DELETE FROM keys WHERE (scope, key) IN \
                     (SELECT scope, key FROM keys ORDER BY at, \"offset\" LIMIT ?)";
        transaction.add(query, [number(writes.keys_dropped)]);
    }
    for (key, row) in &writes.state_put {
        put_state(transaction, key, row)?;
    }
    for key in &writes.state_removed {
        transaction.add("DELETE FROM state WHERE key = ?", [key.into()]);
    }
    for row in &writes.members_put {
        let body = encoded(row)?;
        let query = "INSERT OR REPLACE INTO members (user, session, row) VALUES (?, ?, ?)";
        transaction.add(query, [row.user.as_str().into(), row.session.as_str().into(), binary(&body)]);
    }
    for (user, session) in &writes.members_removed {
        let query = "DELETE FROM members WHERE user = ? AND session = ?";
        transaction.add(query, [user.as_str().into(), session.as_str().into()]);
    }
    many(transaction, "INSERT OR REPLACE INTO blocks (user, until)", &writes.blocks_put, |(user, until)| {
        [user.as_str().into(), number(*until)]
    });
    for user in &writes.blocks_removed {
        transaction.add("DELETE FROM blocks WHERE user = ?", [user.as_str().into()]);
    }
    add_behaviors(transaction, writes)?;
    if let Some(through) = writes.trim_through {
        transaction.add("DELETE FROM log WHERE \"offset\" <= ?", [number(through.value())]);
        transaction.add("DELETE FROM reactions WHERE target <= ?", [number(through.value())]);
    }
    if let Some(outbox) = &writes.outbox {
        add_outbox(transaction, outbox)?;
    }
    Ok(())
}

fn add_behaviors(transaction: &Transaction, writes: &Writes) -> Result<(), StorageError> {
    let value = |(key, value): &(String, Vec<u8>)| [key.as_str().into(), binary(value)];
    many(transaction, "INSERT OR REPLACE INTO stored (key, value)", &writes.values_put, value);
    for keys in writes.values_removed.chunks(BINDINGS_MAX) {
        let marks = vec!["?"; keys.len()].join(", ");
        let query = format!("DELETE FROM stored WHERE key IN ({marks})");
        transaction.add(&query, keys.iter().map(JsValue::from));
    }
    for row in &writes.timers_put {
        let query = "INSERT OR REPLACE INTO timers (name, row) VALUES (?, ?)";
        transaction.add(query, [row.name.as_str().into(), binary(&encoded(row)?)]);
    }
    for name in &writes.timers_removed {
        transaction.add("DELETE FROM timers WHERE name = ?", [name.into()]);
    }
    Ok(())
}

pub(super) fn add_outbox(transaction: &Transaction, writes: &OutboxWrites) -> Result<(), StorageError> {
    for numbers in writes.removed.chunks(BINDINGS_MAX) {
        let marks = vec!["?"; numbers.len()].join(", ");
        let query = format!("DELETE FROM outbox WHERE number IN ({marks})");
        transaction.add(&query, numbers.iter().map(|number| self::number(*number)));
    }
    many(transaction, "INSERT OR REPLACE INTO outbox (number, kind, about, event)", &writes.put, outbox_row);
    let query = "INSERT OR REPLACE INTO outbox_state (id, row) VALUES (1, ?)";
    transaction.add(query, [binary(&encoded(&writes.state)?)]);
    Ok(())
}

fn outbox_row(row: &OutboxRow) -> [JsValue; 4] {
    let about = row.about.map_or(JsValue::NULL, |offset| number(offset.value()));
    [number(row.number), row.kind.as_str().into(), about, row.event.as_str().into()]
}

/// As many rows a statement as bindings allow.
fn many<T, const COLUMNS: usize>(
    transaction: &Transaction,
    insert: &str,
    rows: &[T],
    bind: fn(&T) -> [JsValue; COLUMNS],
) {
    let row = format!("({})", ["?"; COLUMNS].join(", "));
    for rows in rows.chunks(BINDINGS_MAX / COLUMNS) {
        let query = format!("{insert} VALUES {}", vec![row.as_str(); rows.len()].join(", "));
        transaction.add(&query, rows.iter().flat_map(bind));
    }
}

fn put_meta(transaction: &Transaction, meta: &Meta) {
    let query = "INSERT OR REPLACE INTO room (id, schema, epoch, head, bytes_total, time, state_version, \
                 lifecycle, since, created_at, active_at) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let life = meta.lifecycle;
    transaction.add(
        query,
        [
            number(LAYOUT),
            meta.epoch.to_string().into(),
            number(meta.head.value()),
            number(meta.bytes_total),
            number(meta.time),
            number(meta.state_version),
            lifecycle_text(life.state).into(),
            number(life.since),
            number(life.created_at),
            number(life.active_at),
        ],
    );
}

fn append(append: &Append) -> [JsValue; 7] {
    let data = match &append.data {
        Some(Payload::Json(text)) => text.as_str().into(),
        Some(Payload::Bytes(bytes)) => binary(bytes),
        None => JsValue::NULL,
    };
    let (target, verb) = match append.refers {
        Some(refers) => (number(refers.target.value()), refers.verb.as_str().into()),
        None => (JsValue::NULL, JsValue::NULL),
    };
    let (offset, time) = (number(append.offset.value()), number(append.time));
    [offset, time, number(append.bytes_total), binary(&append.body), data, target, verb]
}

fn erase(transaction: &Transaction, erasure: &Erasure) {
    let target = || number(erasure.target.value());
    // Overwritten in place first: SQLite leaves what it frees as it was.
    let zero = "UPDATE log SET body = zeroblob(length(body)), data = zeroblob(length(CAST(data AS BLOB))) \
                WHERE \"offset\" = ?";
    transaction.add(zero, [target()]);
    let zero = "UPDATE log SET data = zeroblob(length(CAST(data AS BLOB))) WHERE ref = ? AND verb = 'edit'";
    transaction.add(zero, [target()]);
    let query = "UPDATE log SET body = ?, data = NULL WHERE \"offset\" = ?";
    transaction.add(query, [binary(&erasure.body), target()]);
    transaction.add("UPDATE log SET data = NULL WHERE ref = ? AND verb = 'edit'", [target()]);
    transaction.add("DELETE FROM reactions WHERE target = ?", [target()]);
}

fn reaction((key, at): &(ReactionKey, Offset)) -> [JsValue; 4] {
    let name = key.name.as_str().into();
    [number(key.target.value()), name, key.user.as_str().into(), number(at.value())]
}

fn key(row: &KeyRow) -> [JsValue; 5] {
    let (scope, key) = (scope_text(&row.key.scope).into(), row.key.key.as_str().into());
    [scope, key, number(row.offset.value()), number(row.at), binary(&row.hash)]
}

fn put_state(transaction: &Transaction, key: &str, row: &StateRow) -> Result<(), StorageError> {
    let query = "INSERT OR REPLACE INTO state (key, row) VALUES (?, ?)";
    transaction.add(query, [key.into(), binary(&encoded(row)?)]);
    Ok(())
}

fn encoded<T: serde::Serialize>(row: &T) -> Result<Vec<u8>, StorageError> {
    rmp_serde::to_vec_named(row).map_err(|error| StorageError(error.to_string()))
}
