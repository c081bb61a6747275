//! The room's way to its tenant's directory.

use deployment::objects::{self, CallError, Object};
use schemas::{
    Tenant,
    directory::{Report, Reported, shard_name, shard_of},
};
use worker::Env;

#[derive(Clone)]
pub(crate) struct Directory {
    env: Env,
    tenant: Tenant,
}

impl Directory {
    pub(crate) fn new(env: Env, tenant: Tenant) -> Directory {
        Directory { env, tenant }
    }

    /// # Errors
    /// When the shard of the room did not take it, or that is not known.
    pub(crate) async fn report(&self, report: &Report) -> Result<Reported, CallError> {
        let name = shard_name(&self.tenant, shard_of(&report.room));
        let object = Object { namespace: objects::DIRECTORY, name: &name };
        objects::ask_for(&self.env, object, "/report", report, "").await
    }
}
