//! What is under way outside the room: posts to webhook endpoints, reports to the directory, tokens being verified; and
//! what comes of each.

use room_core::{
    Input, TokenRefusal,
    outbox::{Outcome, Try},
};
use schemas::{
    Claims, ConnectionId,
    directory::{Report, Reported},
};

use crate::{post::Came, world::World};

/// Something that happens later.
#[derive(Debug, Clone)]
pub(crate) enum Errand {
    /// A post comes to its endpoint.
    PostArrives {
        this: Try,
        events: Vec<Came>,
        /// Not so where the network made a second one of it.
        is_answered: bool,
    },
    /// The room hears how a post went.
    PostEnded {
        this: Try,
        outcome: Outcome,
    },
    ParkingEnded {
        this: Try,
        accepted: bool,
    },
    ReportArrives {
        report: Box<Report>,
        is_answered: bool,
    },
    ReportEnded {
        answer: Option<Reported>,
    },
    Verified {
        connection: ConnectionId,
        request: u32,
        result: Result<Claims, TokenRefusal>,
    },
}

impl Errand {
    /// Whether it ends with the process that waits for it.
    fn is_of_process(&self) -> bool {
        !matches!(self, Errand::PostArrives { .. } | Errand::ReportArrives { .. })
    }
}

impl World {
    pub(crate) fn later(&mut self, in_ms: u64, errand: Errand) {
        self.errands.push((self.clock.real + in_ms, errand));
    }

    pub(crate) fn next_errand_at(&self) -> Option<u64> {
        self.errands.iter().map(|(at, _)| *at).min()
    }

    /// The process that waited is gone.
    pub(crate) fn forget_errands(&mut self) {
        self.errands.retain(|(_, errand)| !errand.is_of_process());
    }

    /// Does what is due, the earliest first.
    pub(crate) fn run_errands(&mut self) {
        let now = self.clock.real;
        loop {
            let due = self.errands.iter().enumerate().filter(|(_, (at, _))| *at <= now);
            let Some((index, _)) = due.min_by_key(|(_, (at, _))| *at) else { return };
            let (_, errand) = self.errands.remove(index);
            self.run_errand(errand);
        }
    }

    fn run_errand(&mut self, errand: Errand) {
        match errand {
            Errand::PostArrives { this, events, is_answered } => self.post_arrives(this, events, is_answered),
            Errand::PostEnded { this, outcome } => self.post_ends(this, outcome),
            Errand::ParkingEnded { this, accepted } => {
                self.server(Input::Parked { this, accepted });
            }
            Errand::ReportArrives { report, is_answered } => self.report_arrives(*report, is_answered),
            Errand::ReportEnded { answer } => self.report_ends(answer),
            Errand::Verified { connection, request, result } => {
                let result = result.and_then(|claims| self.unless_revoked(claims));
                self.server(Input::Verified { connection, request, result });
            }
        }
    }
}
