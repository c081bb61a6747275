//! What a backend changes over HTTP: publications and shared state; and whether its answers are true (R-EDIT-1,
//! R-EDIT-2, R-STATE-2).

use room_core::storage::Verb;
use schemas::{
    Capabilities, ErrorCode,
    client_message::StateOp,
    http::{AmendCall, Reader, RoomCall},
    server_message::{RequestError, RequestResult},
};

use crate::{
    asking::{Amend, Change},
    kept::{Stamp, number_of, payload_of},
    life::Asking,
    world::World,
};

impl World {
    pub(crate) fn amend_over_http(&mut self) {
        let Amend { target, mut change } = self.some_amend();
        if matches!(change, Change::React { .. }) {
            change = Change::Edit(self.next_number());
        }
        let data = match &change {
            Change::Edit(number) => Some(payload_of(*number)),
            Change::Remove | Change::React { .. } => None,
        };
        let capabilities = Capabilities::all();
        let call = AmendCall { target, data, reader: Reader::Service, author: None, capabilities };
        self.ask(Asking::Amend(Amend { target, change }), RoomCall::Amend(call));
    }

    pub(crate) fn write_state_over_http(&mut self) {
        let mut ops = self.some_ops();
        for op in &mut ops {
            if let StateOp::Set { owned, .. } = op {
                // Nobody owns what a backend writes.
                *owned = false;
            }
        }
        let call = RoomCall::WriteState { ops: ops.clone(), moderates: true };
        self.ask(Asking::State(ops), call);
    }

    pub(crate) fn backend_amended(
        &mut self,
        Amend { target, change }: &Amend,
        result: Result<RequestResult, RequestError>,
        stamp: Stamp,
    ) {
        let truth = &self.object.storage.truth;
        let Some(log) = stamp.epoch.filter(|_| self.keeps_log).map(|epoch| truth.of(epoch)) else {
            return assert!(result.is_err(), "R-PUB-10: no log, and {change:?} was taken");
        };
        let (before, head) = stamp.heads();
        let about = log.get(*target).filter(|about| about.refers.is_none());
        let stood = about.is_some_and(|_| !log.folding.is_removed(*target, before));
        match result {
            Ok(RequestResult::Amended(amended)) => {
                let verb = if matches!(change, Change::Remove) { Verb::Remove } else { Verb::Edit };
                let said = log.get(amended.offset).filter(|said| {
                    said.refers.is_some_and(|refers| refers.target == *target && refers.verb == verb)
                        && said.offset() > before
                        && said.offset() <= head
                        && said.record.publication.from.is_none()
                });
                let is_its = said.is_some_and(|said| match change {
                    Change::Edit(number) => said.number.is_none_or(|other| other == *number),
                    Change::Remove | Change::React { .. } => true,
                });
                assert!(is_its && stood, "R-EDIT-1: {change:?} of {target} was answered with {amended:?}");
                self.tally.count("HTTP changes of publications");
            }
            Ok(other) => panic!("R-EDIT-1: {change:?} was answered with {other:?}"),
            Err(error) if error.code == ErrorCode::NotFound => {
                let still = stood && !log.folding.is_removed(*target, head);
                let is_there = still && *target <= before && *target > stamp.floor_high;
                assert!(!is_there, "R-EDIT-2: {target} is there, and {error:?}");
                self.tally.count("HTTP changes of what is not there");
            }
            Err(error) => assert_eq!(error.code, ErrorCode::Unavailable, "R-EDIT-3: {change:?}: {error:?}"),
        }
    }

    pub(crate) fn backend_stated(
        &mut self,
        ops: &[StateOp],
        result: Result<RequestResult, RequestError>,
        stamp: Stamp,
    ) {
        let truth = &self.object.storage.truth;
        let shared = stamp.epoch.map(|epoch| &truth.of(epoch).shared);
        match result {
            Ok(RequestResult::State(written)) => {
                let version = written.version;
                assert!(
                    version >= stamp.state_before && version <= stamp.state,
                    "R-STATE-5: {version} was answered, between {} and {}",
                    stamp.state_before,
                    stamp.state
                );
                for op in ops {
                    let row = shared.and_then(|shared| shared.get(op.key(), stamp.state));
                    let Some(row) = row.filter(|row| row.entry.version <= version) else { continue };
                    let StateOp::Set { value, .. } = op else {
                        panic!("R-STATE-1: {op:?} was answered, and there is {row:?}");
                    };
                    let stands = number_of(&row.entry.value) == number_of(value) && row.entry.owner.is_none();
                    assert!(stands, "R-STATE-1: {op:?} was answered, and there is {row:?}");
                }
                self.tally.count("HTTP writes of shared state");
            }
            Ok(other) => panic!("R-STATE-1: {ops:?} was answered with {other:?}"),
            Err(error) if error.code == ErrorCode::Conflict => {
                let compares = ops.iter().any(|op| op.expected().is_some());
                assert!(compares, "R-STATE-2: {ops:?} compares nothing, and {error:?}");
                self.tally.count("HTTP versions that differ");
                self.refuse_values(ops);
            }
            Err(error) => {
                assert_eq!(error.code, ErrorCode::Unavailable, "R-STATE-4: {ops:?}: {error:?}");
                self.refuse_values(ops);
            }
        }
    }
}
