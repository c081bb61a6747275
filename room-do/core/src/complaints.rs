//! What the operator is told of failures that nobody else sees, each kind at most once a minute.

use std::collections::BTreeMap;

use schemas::ErrorCode;

use crate::{behavior::Failure, output::Output, storage::StorageError};

const AGAIN_AFTER_MS: u64 = 60_000;

#[derive(Debug, Clone, Default)]
pub(crate) struct Complaints {
    /// When it was told last, and how often it happened since.
    told: BTreeMap<&'static str, (Option<u64>, u32)>,
}

impl Complaints {
    /// How often it happened, if it is to be told now.
    fn count(&mut self, now: u64, what: &'static str) -> Option<u32> {
        let (told_at, times) = self.told.entry(what).or_default();
        *times += 1;
        if told_at.is_some_and(|at| now.abs_diff(at) < AGAIN_AFTER_MS) {
            return None;
        }
        *told_at = Some(now);
        Some(std::mem::take(times))
    }

    pub(crate) fn of_hook(&mut self, now: u64, hook: &'static str, failure: &Failure) -> Option<Output> {
        let times = self.count(now, hook)?;
        Some(Output::Failed { hook: Some(hook), code: failure.code, message: failure.for_operator(), times })
    }

    pub(crate) fn of_commit(&mut self, now: u64, error: &StorageError) -> Option<Output> {
        let times = self.count(now, "commit")?;
        Some(Output::Failed { hook: None, code: ErrorCode::Unavailable, message: error.to_string(), times })
    }
}
