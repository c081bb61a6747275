//! What a tenant's directory knows and does: `GET /v1/rooms`, `GET /v1/usage`, `GET /metrics`, `POST /v1/revocations`,
//! `POST /v1/users/{user}/disconnect`. For API keys alone; a key's tenant is all that it reaches.

use deployment::objects::{self, DIRECTORY, Object};
use directory_core::{listing, metrics};
use futures_util::future::try_join_all;
use schemas::{
    Revocation, Tenant, UserId,
    directory::{DirectoryCall, Pushed, RoomEntry, SHARDS, Totals, shard_name},
    http::{DisconnectedAnswer, KindUsage, RevocationAnswer, Usage, UserDisconnectBody},
    limits,
    revocation::RevocationBody,
};
use serde::de::DeserializeOwned;
use worker::Response;

use crate::{body, exchange::Exchange, failure::Failure, response};

/// No body here is longer.
const BODY_BYTES_MAX: usize = 4 * 1024;
/// A prefix or cursor is no longer than a room's name.
const NAME_BYTES_MAX: usize = 161;
const ROOMS_PAGE_DEFAULT: u32 = 100;
const ROOMS_PAGE_MAX: u32 = 1_000;

/// `GET /v1/rooms`.
pub(crate) async fn rooms(exchange: &Exchange<'_>) -> Result<Response, Failure> {
    let key = exchange.service().await?;
    let query = exchange.query();
    let name = |parameter: &str| -> Result<Option<String>, Failure> {
        let text = query.one(parameter)?;
        let fits = text.is_none_or(|text| text.len() <= NAME_BYTES_MAX);
        let wrong = || Failure::invalid(parameter, format!("is at most {NAME_BYTES_MAX} bytes"));
        fits.then(|| text.map(ToOwned::to_owned)).ok_or_else(wrong)
    };
    let (prefix, after) = (name("prefix")?.unwrap_or_default(), name("cursor")?);
    let limit = query.limit(ROOMS_PAGE_DEFAULT, ROOMS_PAGE_MAX)?;
    let call = DirectoryCall::Rooms { prefix, after, limit };
    let shards: Vec<Vec<RoomEntry>> = ask_all(exchange, &key.tenant, &call).await?;
    response::json(&listing::merged(shards, limit as usize))
}

/// `GET /v1/usage`.
pub(crate) async fn usage(exchange: &Exchange<'_>) -> Result<Response, Failure> {
    let key = exchange.service().await?;
    let shards: Vec<Totals> = ask_all(exchange, &key.tenant, &DirectoryCall::Totals).await?;
    let mut usage =
        Usage { tenant: key.tenant.clone(), kinds: Default::default(), total: KindUsage::default() };
    for (kind, series) in metrics::sum(shards) {
        let of_kind = metrics::usage(&series);
        usage.total.add(&of_kind);
        usage.kinds.insert(kind, of_kind);
    }
    response::json(&usage)
}

/// `GET /metrics`.
pub(crate) async fn metrics_text(exchange: &Exchange<'_>) -> Result<Response, Failure> {
    let key = exchange.service().await?;
    let shards: Vec<Totals> = ask_all(exchange, &key.tenant, &DirectoryCall::Totals).await?;
    let text = metrics::render(&metrics::sum(shards));
    let failed = Failure::platform("write the answer");
    let response = Response::ok(text).map_err(&failed)?;
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.headers().set("content-type", content_type).map_err(failed)?;
    Ok(response)
}

/// `POST /v1/revocations`.
pub(crate) async fn revoke(exchange: &mut Exchange<'_>) -> Result<Response, Failure> {
    let tenant = exchange.service().await?.tenant.clone();
    let body: RevocationBody = body::parse_object(&exchange.body(BODY_BYTES_MAX).await?, &[])?;
    let wrong = |detail: schemas::server_message::Detail| Failure::invalid(detail.path, detail.message);
    let revocation: Revocation = auth::revocation(body, exchange.now_ms()).map_err(wrong)?;
    let until = revocation.until;
    let pushed: Vec<Pushed> = ask_all(exchange, &tenant, &DirectoryCall::Revoke(revocation)).await?;
    let Pushed { closed, complete } = sum(&pushed);
    response::json(&RevocationAnswer { until, closed, complete })
}

/// `POST /v1/users/{user}/disconnect`.
pub(crate) async fn disconnect(exchange: &mut Exchange<'_>, user: &str) -> Result<Response, Failure> {
    let tenant = exchange.service().await?.tenant.clone();
    let user = UserId::parse(user).ok_or_else(|| Failure::invalid("user", UserId::SHAPE))?;
    let body = exchange.body(BODY_BYTES_MAX).await?;
    let UserDisconnectBody { reason } = match body.is_empty() {
        true => UserDisconnectBody::default(),
        false => body::parse_object(&body, &[])?,
    };
    if reason.as_ref().is_some_and(|reason| reason.len() > limits::CLOSE_REASON_BYTES_MAX) {
        let message = format!("is at most {} bytes", limits::CLOSE_REASON_BYTES_MAX);
        return Err(Failure::invalid("reason", message));
    }
    let call = DirectoryCall::Disconnect { user, reason };
    let pushed: Vec<Pushed> = ask_all(exchange, &tenant, &call).await?;
    let Pushed { closed, complete } = sum(&pushed);
    response::json(&DisconnectedAnswer { closed, complete })
}

fn sum(pushed: &[Pushed]) -> Pushed {
    let closed = pushed.iter().map(|pushed| pushed.closed).sum();
    Pushed { closed, complete: pushed.iter().all(|pushed| pushed.complete) }
}

/// Asks every shard of a tenant at once. All answer, or it fails.
async fn ask_all<A: DeserializeOwned>(
    exchange: &Exchange<'_>,
    tenant: &Tenant,
    call: &DirectoryCall,
) -> Result<Vec<A>, Failure> {
    let ask = async |shard: u32| -> Result<A, Failure> {
        let name = shard_name(tenant, shard);
        let object = Object { namespace: DIRECTORY, name: &name };
        Ok(objects::ask_for(exchange.env, object, "/call", call, &exchange.request_id).await?)
    };
    try_join_all((0..SHARDS).map(ask)).await
}
