//! One request that may be served, and all that its handlers need for it.

use auth::Token;
use deployment::{Settings, keyring};
use schemas::{Capability, RoomName, Tenant, http::RoomCall};
use worker::{Date, Env, Headers, Request, Response};

use crate::{
    access::{self, Call, Connection, Presented},
    body,
    failure::Failure,
    forward,
    http::query::Query,
};

pub(crate) struct Exchange<'a> {
    pub(crate) env: &'a Env,
    pub(crate) settings: &'a Settings,
    pub(crate) request: Request,
    pub(crate) presented: Presented,
    /// On the answer, in the logs, and with what is asked of objects.
    pub(crate) request_id: String,
}

impl<'a> Exchange<'a> {
    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        Date::now().as_millis()
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
        let verify = async |token: &str| self.verify(token).await;
        access::call(self.settings, room, &self.presented, needed, self.now_ms(), verify).await
    }

    /// As [`Exchange::allow`], for what only backends may.
    pub(crate) async fn allow_service(&self, room: &str) -> Result<Call<'a>, Failure> {
        let verify = async |token: &str| self.verify(token).await;
        access::service_call(self.settings, room, &self.presented, self.now_ms(), verify).await
    }

    /// Whether an upgrade may go on to the room.
    pub(crate) async fn allow_connection(&self, room: &str) -> Result<Connection, Failure> {
        let verify = async |token: &str| self.verify(token).await;
        access::connect(self.settings, room, &self.presented, verify).await
    }

    /// Whose a token is, if it is good and not revoked.
    async fn verify(&self, token: &str) -> Result<Token, Failure> {
        Ok(keyring::verify(self.settings, token).await?)
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

pub(crate) fn presented(request: &Request) -> Presented {
    let header = |headers: &Headers, name| headers.get(name).ok().flatten();
    let headers = request.headers();
    Presented {
        origin: header(headers, "origin"),
        authorization: header(headers, "authorization"),
        subprotocols: header(headers, "sec-websocket-protocol"),
        query_token: Query::of(request).all("token").next().map(ToOwned::to_owned),
    }
}
