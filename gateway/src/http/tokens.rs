//! `POST /v1/tokens`: a token of the gateway's own making, for backends without an issuer.

use auth::{MintError, mint};
use schemas::{Tenant, http::TokenBody, limits};
use worker::Response;

use crate::{body, exchange::Exchange, failure::Failure, response};

/// A body cannot ask for more than a token holds.
pub(super) const BODY_BYTES_MAX: usize = 2 * limits::TOKEN_BYTES_MAX;

pub(crate) async fn issue(exchange: &mut Exchange<'_>) -> Result<Response, Failure> {
    let tenant = exchange.service().await?.tenant.clone();
    minted(exchange, &tenant).await
}

/// A token for `tenant`, as the body asks for it.
pub(super) async fn minted(exchange: &mut Exchange<'_>, tenant: &Tenant) -> Result<Response, Failure> {
    let signing_key = exchange.settings.signing_key.as_ref().ok_or(Failure::NoSigningKey)?;
    let body: TokenBody = body::parse_object(&exchange.body(BODY_BYTES_MAX).await?, &["rooms"])?;
    let wrong = |error: MintError| Failure::invalid(error.path, error.message);
    response::json(&mint(signing_key, tenant, &body, exchange.now_ms()).map_err(wrong)?)
}
