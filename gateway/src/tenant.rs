//! The hook for deployments that tell tenants apart by something else than a token's claim. Pure.
//!
//! Shipped is the host that a request was sent to. Who routes by a path or by a header of a proxy changes [`resolve`],
//! and nothing else: keys and tokens that name another tenant than it says are refused wherever they are shown.

use schemas::{Tenant, config::Config};

/// Whose a request is by where it was sent; `None` where that says nothing, and keys and claims decide.
pub(crate) fn resolve(config: &Config, host: &str) -> Option<Tenant> {
    config.tenants.get(host).cloned()
}
