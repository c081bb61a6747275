//! Faults on command, for tests: compiled in by the feature `faults` alone, which no deployed module has.

use std::cell::Cell;

use deployment::{clock, faults, transaction::Transaction};
use room_core::Input;
use schemas::{RoomName, Tenant, webhook::Parked};
use wasm_bindgen::JsValue;

/// What goes wrong at the next event of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    TrapOnOpen,
    TrapOnMessage,
    TrapOnClose,
    TrapOnCall,
    TrapOnTurn,
    TrapOnAlarm,
    TrapOnDelivered,
    /// The alarm's handler throws.
    ThrowOnAlarm,
    /// The last statement of the next transaction fails.
    FailCommit,
}

const NAMES: [(&str, Fault); 9] = [
    ("trap_on_open", Fault::TrapOnOpen),
    ("trap_on_message", Fault::TrapOnMessage),
    ("trap_on_close", Fault::TrapOnClose),
    ("trap_on_call", Fault::TrapOnCall),
    ("trap_on_turn", Fault::TrapOnTurn),
    ("trap_on_alarm", Fault::TrapOnAlarm),
    ("trap_on_delivered", Fault::TrapOnDelivered),
    ("throw_on_alarm", Fault::ThrowOnAlarm),
    ("fail_commit", Fault::FailCommit),
];

thread_local! {
    /// Of the instance: a trap takes it along.
    static ARMED: Cell<Option<(Fault, u32)>> = const { Cell::new(None) };
}

/// Arms a fault for the next `count` events of its kind, in whichever room of the isolate they come; or begins or ends
/// what is wrong with the isolate. False for a name that is none.
pub(crate) fn arm(name: &str, count: u32) -> bool {
    match name {
        "lose_directory" => faults::lose_directory(true),
        "find_directory" => faults::lose_directory(false),
        "jump_ahead_ms" => faults::jump_ahead(count),
        _ => return arm_events(name, count),
    }
    true
}

fn arm_events(name: &str, count: u32) -> bool {
    let found = NAMES.iter().find(|(known, _)| *known == name);
    ARMED.set(found.map(|(_, fault)| (*fault, count)));
    found.is_some()
}

fn take(wanted: Fault) -> bool {
    match ARMED.get() {
        Some((fault, count)) if fault == wanted && count > 0 => {
            ARMED.set((count > 1).then_some((fault, count - 1)));
            true
        }
        _ => false,
    }
}

/// Traps, if that is what is armed for this input.
pub(crate) fn strike(input: &Input) {
    let fault = match input {
        Input::Opened { .. } => Fault::TrapOnOpen,
        Input::Received { .. } => Fault::TrapOnMessage,
        Input::Closed { .. } => Fault::TrapOnClose,
        Input::Asked { .. } => Fault::TrapOnCall,
        Input::TurnEnded => Fault::TrapOnTurn,
        Input::AlarmFired { .. } => Fault::TrapOnAlarm,
        Input::Delivered { .. } => Fault::TrapOnDelivered,
        Input::Measured { .. }
        | Input::Verified { .. }
        | Input::Parked { .. }
        | Input::Wanted { .. }
        | Input::Reading { .. }
        | Input::Abandoned { .. }
        | Input::ReportDue
        | Input::Reported { .. } => return,
    };
    assert!(!take(fault), "a fault was asked for: {fault:?}");
}

/// Whether the alarm's handler throws.
pub(crate) fn throws_on_alarm() -> bool {
    take(Fault::ThrowOnAlarm)
}

/// Adds a statement that fails, if that is what is armed.
pub(crate) fn spoil(transaction: &Transaction) {
    if take(Fault::FailCommit) {
        transaction.add("INSERT INTO room (id) VALUES (?)", [JsValue::from_f64(2.0)]);
    }
}

/// A batch of one event that the endpoint `test` is said not to have taken at any try: the ladder takes 31 hours.
pub(crate) fn given_up(tenant: Tenant, room: RoomName, id: &str) -> Parked {
    let body = format!(r#"{{"events":[{{"id":"{id}-1"}}]}}"#);
    let (endpoint, parked_at) = ("test".to_owned(), clock::now());
    Parked {
        id: id.into(),
        endpoint,
        tenant,
        room,
        events: 1,
        body,
        attempts: 9,
        last_status: Some(500),
        parked_at,
    }
}
