//! What a room tells the outside: posts to webhook endpoints, and what they did not take, for the directory.

use deployment::{
    Settings,
    objects::{self, Object},
    webhooks,
};
use room_core::outbox::{Outcome, Subscriber, Try, Webhooks};
use schemas::{
    Tenant,
    directory::{PARKING_SHARD, shard_name},
    webhook::{PARK_PATH, Parked},
};
use worker::Env;

use crate::log::Log;

#[derive(Clone)]
pub(crate) struct Courier {
    env: Env,
    tenant: Tenant,
    log: Log,
}

/// Who is told of rooms of this kind.
pub(crate) fn subscribed(settings: &Settings, tenant: Tenant, kind: &str) -> Webhooks {
    let endpoints = settings.webhooks.of_kind(kind);
    let subscriber =
        |endpoint: &webhooks::Endpoint| Subscriber { endpoint: endpoint.id.clone(), events: endpoint.events };
    Webhooks { tenant, subscribers: endpoints.map(subscriber).collect() }
}

impl Courier {
    pub(crate) fn new(env: Env, tenant: Tenant, log: Log) -> Courier {
        Courier { env, tenant, log }
    }

    /// One try, and how it ended.
    pub(crate) async fn deliver(&self, this: &Try, id: &str, body: &str) -> Outcome {
        let settings = Settings::of(&self.env);
        let Ok(settings) = settings.as_ref() else { return Outcome::default() };
        let (Some(endpoint), Some(key)) = (settings.webhooks.get(&this.endpoint), &settings.signing_key)
        else {
            return Outcome::default();
        };
        let answer = webhooks::post(&self.env, key, endpoint, id, body).await;
        if !answer.status.is_some_and(|status| (200..300).contains(&status)) {
            let line = self.log.warn("webhook_failed").with("endpoint", this.endpoint.as_str());
            let line = line.with("webhook_id", id).with("attempt", this.attempt);
            line.with("status", answer.status).write();
        }
        Outcome { status: answer.status, retry_after_ms: answer.retry_after_ms }
    }

    /// Whether the directory has it now.
    pub(crate) async fn park(&self, parked: &Parked) -> bool {
        let name = shard_name(&self.tenant, PARKING_SHARD);
        let object = Object { namespace: objects::DIRECTORY, name: &name };
        let answer = objects::ask(&self.env, object, PARK_PATH, parked, &parked.id).await;
        let is_taken = answer.is_ok_and(|answer| (200..300).contains(&answer.status_code()));
        let event = if is_taken { "webhook_parked" } else { "webhook_not_parked" };
        let line = self.log.error(event).with("endpoint", parked.endpoint.as_str());
        let line = line.with("webhook_id", parked.id.as_str()).with("events", parked.events);
        line.with("status", parked.last_status).write();
        is_taken
    }
}
