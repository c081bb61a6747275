//! Who may come in, decided before any object is touched. Pure.
//!
//! The order is the contract's: room name, kind, origin, token, tenant, capability. A caller learns of the first
//! thing that is wrong, and of nothing behind it.

use auth::{API_KEY_PREFIX, Flaw, Refusal, Token};
use schemas::{
    Capability, Claims, Codec, RoomName, Tenant, UserId,
    codec::TOKEN_SUBPROTOCOL_PREFIX,
    config::{Access, Config, KindConfig},
    http::{KeyScope, Reader},
    ids::KindName,
    server_message::Author,
};

use deployment::Settings;

use crate::failure::Failure;

/// Every subprotocol of ours begins so.
const SUBPROTOCOL_PREFIX: &str = "roomcast.";

const SERVICE_ONLY: Refusal = Refusal::Forbidden("rooms of this kind are for API keys");

/// What a request shows of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Presented {
    pub(crate) origin: Option<String>,
    pub(crate) authorization: Option<String>,
    /// The header `Sec-WebSocket-Protocol`.
    pub(crate) subprotocols: Option<String>,
    /// The parameter `token`.
    pub(crate) query_token: Option<String>,
}

/// A connection that may be forwarded to its room.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) room: RoomName,
    pub(crate) tenant: Tenant,
    pub(crate) claims: Claims,
    pub(crate) codec: Codec,
}

/// A call of the HTTP API that may be forwarded to its room.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) room: RoomName,
    pub(crate) tenant: Tenant,
    pub(crate) kind: &'a KindConfig,
    pub(crate) caller: Caller,
}

#[derive(Debug)]
pub(crate) enum Caller {
    /// A backend with an API key, and which.
    Service {
        key_id: String,
    },
    User {
        user: UserId,
        claims: Claims,
    },
}

impl Caller {
    pub(crate) fn reader(&self) -> Reader {
        match self {
            Caller::Service { .. } => Reader::Service,
            Caller::User { user, claims } => Reader::User { user: user.clone(), tags: claims.tags.clone() },
        }
    }

    /// Whose idempotency keys it uses.
    pub(crate) fn key_scope(&self) -> KeyScope {
        match self {
            Caller::Service { key_id } => KeyScope::ApiKey(key_id.clone()),
            Caller::User { user, .. } => KeyScope::User(user.clone()),
        }
    }

    /// In whose name a user publishes; a backend says so itself.
    pub(crate) fn author(&self) -> Option<Author> {
        match self {
            Caller::Service { .. } => None,
            Caller::User { user, claims } => {
                Some(Author { user: user.clone(), session: None, info: claims.info.clone() })
            }
        }
    }
}

impl Presented {
    fn offered(&self) -> impl Iterator<Item = &str> {
        self.subprotocols.as_deref().unwrap_or_default().split(',').map(str::trim_ascii)
    }

    /// The codec that the client likes best of those that we speak.
    fn codec(&self) -> Option<Codec> {
        self.offered().find_map(Codec::from_subprotocol)
    }

    fn subprotocol_token(&self) -> Option<&str> {
        self.offered().find_map(|offered| offered.strip_prefix(TOKEN_SUBPROTOCOL_PREFIX))
    }

    fn bearer(&self) -> Option<&str> {
        let (scheme, credentials) = self.authorization.as_deref()?.trim_ascii().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| credentials.trim_ascii())
    }

    /// What a refused upgrade may be answered under, so that a browser gets to read the close code: a subprotocol of
    /// ours that it offered, known or not, and never a token.
    pub(crate) fn refusable_subprotocol(&self) -> Option<&str> {
        let ours = |offered: &&str| {
            offered.starts_with(SUBPROTOCOL_PREFIX) && !offered.starts_with(TOKEN_SUBPROTOCOL_PREFIX)
        };
        self.codec().map(Codec::subprotocol).or_else(|| self.offered().find(ours))
    }
}

/// Whether an upgrade may be forwarded. `verify` tells whose a token is, if it is good and not revoked.
pub(crate) async fn connect(
    settings: &Settings,
    room: &str,
    presented: &Presented,
    verify: impl AsyncFn(&str) -> Result<Token, Failure>,
) -> Result<Connection, Failure> {
    let (room, kind) = place(&settings.config, room)?;
    check_origin(&settings.config, presented)?;
    if kind.access == Access::Service {
        return Err(SERVICE_ONLY.into());
    }
    let query_token = presented.query_token.as_deref().filter(|_| settings.config.query_token);
    let token = presented.subprotocol_token().or_else(|| presented.bearer()).or(query_token);
    let (tenant, claims) = match token {
        Some(token) => {
            let token = verify(token).await?;
            let claims = token.claims_for(&room)?;
            (token.tenant, claims)
        }
        None if kind.access == Access::Public => (Tenant::default_tenant(), anonymous(kind)),
        None => return Err(Refusal::from(Flaw::Missing).into()),
    };
    if !claims.capabilities.has(Capability::Join) {
        return Err(Refusal::Forbidden("the token does not allow to join this room").into());
    }
    let codec = presented.codec().ok_or(Refusal::UnsupportedProtocol)?;
    Ok(Connection { room, tenant, claims, codec })
}

/// Whether a call of the HTTP API may be forwarded: with an API key, or with a token that has the capability.
pub(crate) async fn call<'a>(
    settings: &'a Settings,
    room: &str,
    presented: &Presented,
    needed: Capability,
    now_ms: u64,
    verify: impl AsyncFn(&str) -> Result<Token, Failure>,
) -> Result<Call<'a>, Failure> {
    let (room, kind) = place(&settings.config, room)?;
    check_origin(&settings.config, presented)?;
    let credentials = presented.bearer().ok_or(Refusal::from(Flaw::Missing))?;
    if credentials.starts_with(API_KEY_PREFIX) {
        let key = settings.api_keys.authorize(credentials, now_ms)?;
        let caller = Caller::Service { key_id: key.id.clone() };
        return Ok(Call { room, tenant: key.tenant.clone(), kind, caller });
    }
    let token = verify(credentials).await?;
    if kind.access == Access::Service {
        return Err(SERVICE_ONLY.into());
    }
    let claims = token.claims_for(&room)?;
    if !claims.capabilities.has(needed) {
        return Err(Refusal::Forbidden("the token lacks the capability for this in this room").into());
    }
    let Token { user, tenant, .. } = token;
    Ok(Call { room, tenant, kind, caller: Caller::User { user, claims } })
}

/// As [`call`], for what only backends may.
pub(crate) async fn service_call<'a>(
    settings: &'a Settings,
    room: &str,
    presented: &Presented,
    now_ms: u64,
    verify: impl AsyncFn(&str) -> Result<Token, Failure>,
) -> Result<Call<'a>, Failure> {
    let call = call(settings, room, presented, Capability::Join, now_ms, verify).await?;
    match call.caller {
        Caller::Service { .. } => Ok(call),
        Caller::User { .. } => Err(Refusal::Forbidden("this is for API keys").into()),
    }
}

fn place<'a>(config: &'a Config, room: &str) -> Result<(RoomName, &'a KindConfig), Refusal> {
    let room = RoomName::parse(room).ok_or(Refusal::BadRoomName)?;
    let kind = KindName::parse(room.kind()).and_then(|kind| config.kinds.get(&kind));
    Ok((room, kind.ok_or(Refusal::UnknownKind)?))
}

/// Exact; what has no origin is no browser.
fn check_origin(config: &Config, presented: &Presented) -> Result<(), Refusal> {
    match &presented.origin {
        Some(origin) if !origin_allowed(config, origin) => {
            Err(Refusal::Forbidden("the origin is not allowed"))
        }
        _ => Ok(()),
    }
}

pub(crate) fn origin_allowed(config: &Config, origin: &str) -> bool {
    config.allowed_origins.is_empty() || config.allowed_origins.iter().any(|allowed| allowed == origin)
}

/// The room makes a user of the session.
fn anonymous(kind: &KindConfig) -> Claims {
    Claims { capabilities: kind.default_capabilities, ..Claims::default() }
}

#[cfg(test)]
mod tests;
