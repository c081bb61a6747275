//! One request that may be served, and all that its handlers need for it.

use auth::{ApiKey, Scope, Token};
use deployment::{Settings, clock, keyring, revocations};
use limiter_core::Subject;
use schemas::{Capability, RoomName, Tenant, UserId, config::Config, http::RoomCall};
use worker::{Context, Env, Headers, Request, Response};

use crate::{
    access::{self, Call, Caller, Connection, Credentials, Presented},
    body,
    failure::Failure,
    forward,
    http::query::Query,
    rates, tenant,
};

/// Where Cloudflare says who the client is.
const CLOUDFLARE_ADDRESS: &str = "cf-connecting-ip";
/// No network address is longer.
const ADDRESS_BYTES_MAX: usize = 64;

pub(crate) struct Exchange<'a> {
    pub(crate) env: &'a Env,
    pub(crate) context: &'a Context,
    pub(crate) settings: &'a Settings,
    pub(crate) request: Request,
    pub(crate) presented: Presented,
    /// On the answer, in the logs, and with what is asked of objects.
    pub(crate) request_id: String,
}

impl<'a> Exchange<'a> {
    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        clock::now()
    }

    pub(crate) fn query(&self) -> Query {
        Query::of(&self.request)
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.request.headers().get(name).ok().flatten()
    }

    pub(crate) async fn body(&mut self, bytes_max: usize) -> Result<Vec<u8>, Failure> {
        body::read(&mut self.request, bytes_max).await
    }

    /// Whether the caller may do in the room what needs this capability.
    pub(crate) async fn allow(&self, room: &str, needed: Capability) -> Result<Call<'a>, Failure> {
        self.allow_any(room, &[needed]).await
    }

    /// As [`Exchange::allow`], where each of the capabilities is enough.
    pub(crate) async fn allow_any(&self, room: &str, any_of: &[Capability]) -> Result<Call<'a>, Failure> {
        let verify = async |token: &str| self.verify(token).await;
        let call = access::call(self.settings, room, &self.presented, any_of, self.now_ms(), verify).await?;
        self.spend_of(&call).await?;
        Ok(call)
    }

    /// As [`Exchange::allow`], for what only backends may.
    pub(crate) async fn allow_service(&self, room: &str) -> Result<Call<'a>, Failure> {
        self.allow_any(room, &[]).await
    }

    /// Who calls, for what concerns several rooms.
    pub(crate) async fn credentials(&self) -> Result<Credentials<'a>, Failure> {
        let verify = async |token: &str| self.verify(token).await;
        let credentials = access::credentials(self.settings, &self.presented, self.now_ms(), verify).await?;
        match &credentials {
            Credentials::Key(key) => self.spend_of_key(&key.id).await?,
            Credentials::Token(token) => self.spend_of_user(&token.tenant, &token.user).await?,
        }
        Ok(credentials)
    }

    /// Whether the caller may follow the room's events.
    pub(crate) async fn listen(&self, room: &str) -> Result<Connection, Failure> {
        let verify = async |token: &str| self.verify(token).await;
        let (settings, presented) = (self.settings, &self.presented);
        let connection = access::listen(settings, room, presented, self.now_ms(), verify).await?;
        self.spend_of_connection(&connection).await?;
        Ok(connection)
    }

    /// Whether what would be a WebSocket may come in by HTTP. What it spends is the caller's to count.
    pub(crate) async fn admit(&self, room: &str) -> Result<Connection, Failure> {
        let verify = async |token: &str| self.verify(token).await;
        access::stream(self.settings, room, &self.presented, verify).await
    }

    /// The caller's API key, for what concerns no room.
    pub(crate) async fn service(&self) -> Result<&'a ApiKey, Failure> {
        let verify = async |token: &str| self.verify(token).await;
        let key = access::service(self.settings, &self.presented, self.now_ms(), verify).await?;
        self.spend_of_key(&key.id).await?;
        Ok(key)
    }

    /// Whether an upgrade may go on to the room.
    pub(crate) async fn connect(&self, room: &str) -> Result<Connection, Failure> {
        self.spend_of_address().await?;
        let verify = async |token: &str| self.verify(token).await;
        let connection = access::connect(self.settings, room, &self.presented, verify).await?;
        self.spend_of_connection(&connection).await?;
        Ok(connection)
    }

    /// Whose a token is, if it is good and not revoked.
    async fn verify(&self, token: &str) -> Result<Token, Failure> {
        let token = keyring::verify(self.env, self.settings, token).await?;
        let token = match &self.presented.tenant {
            Some(tenant) => token.of_tenant(tenant)?,
            None => token,
        };
        let later = |later: revocations::Later| self.context.wait_until(later.ask());
        revocations::check(self.env, &token, &self.request_id, later).await?;
        Ok(token)
    }

    /// Counts the request against its client's address, where that is known.
    pub(crate) async fn spend_of_address(&self) -> Result<(), Failure> {
        let config = &self.settings.config;
        // Elsewhere anyone could say so.
        let is_cloudflare = || self.request.cf().is_some();
        let header = match config.client_address_header.as_deref() {
            Some(header) => header,
            None if is_cloudflare() => CLOUDFLARE_ADDRESS,
            None => return Ok(()),
        };
        let Some(address) = self.header(header).filter(|address| address.len() <= ADDRESS_BYTES_MAX) else {
            return Ok(());
        };
        rates::spend(self.env, Subject::Address(address), config.rates.address, &self.request_id).await
    }

    async fn spend_of(&self, call: &Call<'_>) -> Result<(), Failure> {
        match &call.caller {
            Caller::Service { key_id } => self.spend_of_key(key_id).await,
            Caller::User { user, .. } => self.spend_of_user(&call.tenant, user).await,
        }
    }

    async fn spend_of_key(&self, key_id: &str) -> Result<(), Failure> {
        let subject = Subject::Key(key_id.to_owned());
        rates::spend(self.env, subject, self.settings.config.rates.key, &self.request_id).await
    }

    pub(crate) async fn spend_of_connection(&self, connection: &Connection) -> Result<(), Failure> {
        match &connection.claims.user {
            Some(user) => self.spend_of_user(&connection.tenant, user).await,
            None => Ok(()),
        }
    }

    async fn spend_of_user(&self, tenant: &Tenant, user: &UserId) -> Result<(), Failure> {
        let subject = Subject::User(tenant.clone(), user.clone());
        rates::spend(self.env, subject, self.settings.config.rates.user, &self.request_id).await
    }

    /// Asks the call's room in the caller's name, and brings back its answer as it is.
    pub(crate) async fn ask_as(&self, call: &Call<'_>, asked: RoomCall) -> Result<Response, Failure> {
        self.ask(&call.room, &call.tenant, &call.asking(asked)).await
    }

    /// Asks a room, and brings back its answer as it is.
    pub(crate) async fn ask(
        &self,
        room: &RoomName,
        tenant: &Tenant,
        call: &RoomCall,
    ) -> Result<Response, Failure> {
        forward::call(self.env, room, tenant, call, &self.request_id).await
    }
}

/// What the request shows of itself; `scope` is what its address needs of an API key.
pub(crate) fn presented(request: &Request, scope: Option<Scope>, config: Option<&Config>) -> Presented {
    let header = |headers: &Headers, name| headers.get(name).ok().flatten();
    let headers = request.headers();
    let host = request.url().ok().and_then(|url| url.host_str().map(ToOwned::to_owned));
    Presented {
        tenant: config.zip(host).and_then(|(config, host)| tenant::resolve(config, &host)),
        origin: header(headers, "origin"),
        authorization: header(headers, "authorization"),
        subprotocols: header(headers, "sec-websocket-protocol"),
        query_token: Query::of(request).all("token").next().map(ToOwned::to_owned),
        scope,
    }
}
