//! Who may come in, decided before any object is touched. Pure.
//!
//! The order is the contract's: room name, kind, origin, token, tenant, revocation, capability. A caller learns of the
//! first thing that is wrong, and of nothing behind it. Token, tenant and revocation are one step, which takes asking
//! others: it is an argument.

use auth::{API_KEY_PREFIX, ApiKey, Flaw, Refusal, Scope, Token};
use schemas::{
    Capabilities, Capability, Claims, Codec, RoomName, Tenant, UserId,
    codec::TOKEN_SUBPROTOCOL_PREFIX,
    config::{Access, Config, KindConfig},
    http::{KeyScope, Reader, RoomCall},
    ids::KindName,
    server_message::Author,
};

use deployment::Settings;

use crate::failure::Failure;

/// Every subprotocol of ours begins so.
const SUBPROTOCOL_PREFIX: &str = "roomcast.";

/// Rooms of this kind are for the user that their id names.
pub(crate) const PERSONAL_KIND: &str = "user";

/// What nobody else may do in a personal room, whatever a token says.
const PERSONAL: [Capability; 4] =
    [Capability::Join, Capability::History, Capability::Presence, Capability::State];

const SERVICE_ONLY: Refusal = Refusal::Forbidden("rooms of this kind are for API keys");

const FOR_API_KEYS: Refusal = Refusal::Forbidden("this is for API keys");

/// What a request shows of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Presented {
    /// Whose it is by where it was sent, where that says so ([`tenant`](crate::tenant)).
    pub(crate) tenant: Option<Tenant>,
    pub(crate) origin: Option<String>,
    pub(crate) authorization: Option<String>,
    /// The header `Sec-WebSocket-Protocol`.
    pub(crate) subprotocols: Option<String>,
    /// The parameter `token`.
    pub(crate) query_token: Option<String>,
    /// What an API key must be for at the address; `None` where none is of use.
    pub(crate) scope: Option<Scope>,
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

impl Call<'_> {
    /// What the room is asked: it looks whether it has blocked the user.
    pub(crate) fn asking(&self, call: RoomCall) -> RoomCall {
        match &self.caller {
            Caller::Service { .. } => call,
            Caller::User { user, .. } => RoomCall::ByUser {
                user: user.clone(),
                capabilities: self.caller.capabilities(),
                call: Box::new(call),
            },
        }
    }
}

/// Who calls the HTTP API, whichever room it is about.
#[derive(Debug)]
pub(crate) enum Credentials<'a> {
    Key(&'a ApiKey),
    Token(Token),
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

    /// What it may do to what others wrote.
    pub(crate) fn capabilities(&self) -> Capabilities {
        match self {
            Caller::Service { .. } => Capabilities::all(),
            Caller::User { claims, .. } => claims.capabilities,
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
    let query_token = presented.query_token.as_deref().filter(|_| settings.config.query_token);
    let token = presented.subprotocol_token().or_else(|| presented.bearer()).or(query_token);
    let (tenant, claims) = admit(&room, kind, token, presented.tenant.as_ref(), verify).await?;
    let codec = presented.codec().ok_or(Refusal::UnsupportedProtocol)?;
    Ok(Connection { room, tenant, claims, codec })
}

/// Whether the WebSocket's protocol may be spoken by HTTP: whoever may connect may. The token is a header, as any
/// client can set one here.
pub(crate) async fn stream(
    settings: &Settings,
    room: &str,
    presented: &Presented,
    verify: impl AsyncFn(&str) -> Result<Token, Failure>,
) -> Result<Connection, Failure> {
    let (room, kind) = place(&settings.config, room)?;
    check_origin(&settings.config, presented)?;
    let (tenant, claims) = admit(&room, kind, presented.bearer(), presented.tenant.as_ref(), verify).await?;
    Ok(Connection { room, tenant, claims, codec: Codec::Msgpack })
}

/// Whether a stream of events may be opened: whoever may connect may, and an API key. It is never a member. Browsers
/// can set no header here, so `?token=` counts whatever is configured; API keys have no place in an address.
pub(crate) async fn listen(
    settings: &Settings,
    room: &str,
    presented: &Presented,
    now_ms: u64,
    verify: impl AsyncFn(&str) -> Result<Token, Failure>,
) -> Result<Connection, Failure> {
    let (room, kind) = place(&settings.config, room)?;
    check_origin(&settings.config, presented)?;
    let (tenant, claims) = match presented.bearer() {
        Some(key) if key.starts_with(API_KEY_PREFIX) => {
            let key = keyed(settings, key, presented, now_ms)?;
            (key.tenant.clone(), nobody([Capability::Join, Capability::History].into_iter().collect()))
        }
        bearer => {
            let token = bearer.or(presented.query_token.as_deref());
            admit(&room, kind, token, presented.tenant.as_ref(), verify).await?
        }
    };
    let listens = |capability: &Capability| matches!(capability, Capability::Join | Capability::History);
    let capabilities = claims.capabilities.iter().filter(listens).collect();
    Ok(Connection { room, tenant, claims: Claims { capabilities, ..claims }, codec: Codec::Json })
}

/// Whose connection it is, and what it may do: with a token, or without one where the kind is public.
async fn admit(
    room: &RoomName,
    kind: &KindConfig,
    token: Option<&str>,
    tenant: Option<&Tenant>,
    verify: impl AsyncFn(&str) -> Result<Token, Failure>,
) -> Result<(Tenant, Claims), Failure> {
    if kind.access == Access::Service {
        return Err(SERVICE_ONLY.into());
    }
    let (tenant, claims) = match token {
        Some(token) => {
            let token = verify(token).await?;
            let claims = token.claims_for(room)?;
            (token.tenant, claims)
        }
        None if kind.access == Access::Public => {
            (tenant.cloned().unwrap_or_else(Tenant::default_tenant), nobody(kind.default_capabilities))
        }
        None => return Err(Refusal::from(Flaw::Missing).into()),
    };
    if !claims.capabilities.has(Capability::Join) {
        return Err(Refusal::Forbidden("the token does not allow to join this room").into());
    }
    check_personal(room, claims.user.as_ref(), &[Capability::Join])?;
    Ok((tenant, claims))
}

/// The API key of a call that concerns no room.
pub(crate) async fn service<'a>(
    settings: &'a Settings,
    presented: &Presented,
    now_ms: u64,
    verify: impl AsyncFn(&str) -> Result<Token, Failure>,
) -> Result<&'a ApiKey, Failure> {
    check_origin(&settings.config, presented)?;
    let credentials = presented.bearer().ok_or(Refusal::from(Flaw::Missing))?;
    if credentials.starts_with(API_KEY_PREFIX) {
        return Ok(keyed(settings, credentials, presented, now_ms)?);
    }
    verify(credentials).await?;
    Err(FOR_API_KEYS.into())
}

/// The API key, where it is for what is asked.
fn keyed<'a>(
    settings: &'a Settings,
    credentials: &str,
    presented: &Presented,
    now_ms: u64,
) -> Result<&'a ApiKey, Refusal> {
    let key = settings.api_keys.authorize(credentials, now_ms)?;
    if presented.tenant.as_ref().is_some_and(|tenant| *tenant != key.tenant) {
        return Err(Refusal::Forbidden("the API key is another tenant's"));
    }
    if presented.scope.is_some_and(|scope| key.has(scope)) {
        Ok(key)
    } else {
        Err(Refusal::Forbidden("the API key lacks the scope for this"))
    }
}

/// Whether a call of the HTTP API about a room may be forwarded to it: with an API key, or with a token that has any
/// of the capabilities. Without any it is for API keys alone.
pub(crate) async fn call<'a>(
    settings: &'a Settings,
    room: &str,
    presented: &Presented,
    any_of: &[Capability],
    now_ms: u64,
    verify: impl AsyncFn(&str) -> Result<Token, Failure>,
) -> Result<Call<'a>, Failure> {
    place(&settings.config, room)?;
    let credentials = credentials(settings, presented, now_ms, verify).await?;
    Ok(call_as(settings, room, &credentials, any_of)?)
}

/// The part of [`call`] that is not of one room.
pub(crate) async fn credentials<'a>(
    settings: &'a Settings,
    presented: &Presented,
    now_ms: u64,
    verify: impl AsyncFn(&str) -> Result<Token, Failure>,
) -> Result<Credentials<'a>, Failure> {
    check_origin(&settings.config, presented)?;
    let credentials = presented.bearer().ok_or(Refusal::from(Flaw::Missing))?;
    if credentials.starts_with(API_KEY_PREFIX) {
        return Ok(Credentials::Key(keyed(settings, credentials, presented, now_ms)?));
    }
    verify(credentials).await.map(Credentials::Token)
}

/// And the part that is.
pub(crate) fn call_as<'a>(
    settings: &'a Settings,
    room: &str,
    credentials: &Credentials<'a>,
    any_of: &[Capability],
) -> Result<Call<'a>, Refusal> {
    let (room, kind) = place(&settings.config, room)?;
    let token = match credentials {
        Credentials::Key(key) => {
            let caller = Caller::Service { key_id: key.id.clone() };
            return Ok(Call { room, tenant: key.tenant.clone(), kind, caller });
        }
        Credentials::Token(token) => token,
    };
    if kind.access == Access::Service {
        return Err(SERVICE_ONLY);
    }
    let claims = token.claims_for(&room)?;
    if any_of.is_empty() {
        return Err(FOR_API_KEYS);
    }
    if !any_of.iter().any(|capability| claims.capabilities.has(*capability)) {
        return Err(Refusal::Forbidden("the token lacks the capability for this in this room"));
    }
    check_personal(&room, Some(&token.user), any_of)?;
    let (user, tenant) = (token.user.clone(), token.tenant.clone());
    Ok(Call { room, tenant, kind, caller: Caller::User { user, claims } })
}

fn check_personal(room: &RoomName, user: Option<&UserId>, wanted: &[Capability]) -> Result<(), Refusal> {
    let is_personal = room.kind() == PERSONAL_KIND && wanted.iter().any(|one| PERSONAL.contains(one));
    if is_personal && user.is_none_or(|user| user.as_str() != room.id()) {
        return Err(Refusal::Forbidden("the room is another user's own"));
    }
    Ok(())
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
fn nobody(capabilities: Capabilities) -> Claims {
    Claims { capabilities, ..Claims::default() }
}

#[cfg(test)]
mod tests;
