//! `/openapi.json` and `/docs`: what the HTTP API is, for machines and for people.

use worker::{Response, ResponseBuilder};

use crate::failure::Failure;

/// Written by `cargo xtask codegen`.
const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// Reads the document where it is shown; of nothing but itself.
const PAGE: &str = include_str!("docs.html");

/// The page runs its own script and asks this origin alone.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn document() -> Result<Response, Failure> {
    fixed("application/json", DOCUMENT).map_err(Failure::platform("write the answer"))
}

pub(crate) fn page() -> Result<Response, Failure> {
    let write = || {
        let response = fixed("text/html; charset=utf-8", PAGE)?;
        response.headers().set("content-security-policy", PAGE_POLICY)?;
        Ok(response)
    };
    write().map_err(Failure::platform("write the answer"))
}

fn fixed(content_type: &str, text: &str) -> worker::Result<Response> {
    let response = ResponseBuilder::new()
        .with_header("content-type", content_type)?
        .with_header("cache-control", "no-cache")?
        .with_header("x-content-type-options", "nosniff")?;
    Ok(response.fixed(text.as_bytes().to_vec()))
}
