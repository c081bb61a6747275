//! The router Worker: parse, authenticate, forward. Stateless, and the only thing that the internet talks to.
//!
//! A request is a [`route`]; a route that concerns a room is checked ([`access`]) by what it shows of itself and what
//! was configured ([`config`]), with nothing but arguments; and only a request that may be served becomes one call
//! to the room's object ([`forward`]). Its answer goes back as it is. Whatever ends badly is a [`failure::Failure`]
//! and leaves as a problem, or, where a browser upgrades, as a WebSocket that is closed with a code ([`connect`]).
//!
//! Architecture invariant: no room is touched for a request that is refused here: not woken, not created.
//!
//! Architecture invariant: trust flows one way. The request that an object gets is built from nothing, so no header
//! from outside can speak for the gateway, and no token leaves it.
//!
//! The object's class is exported from here too: gateway and rooms are one Wasm module.

mod access;
mod body;
mod config;
mod connect;
mod failure;
mod forward;
mod http;
mod log;
mod response;
mod route;

pub use room_do::RoomObject;
use worker::{Context, Env, Headers, Method, Request, Response, event};

use crate::{
    access::Presented,
    config::{Settings, SettingsError},
    failure::Failure,
    http::query::Query,
    route::{Route, Routed},
};

/// The static demo that `cargo xtask dev` binds.
const DEMO: &str = "DEMO";

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<Response> {
    let settings = Settings::of(&env);
    let request_id = response::request_id(request.headers());
    let presented = presented(&request);
    let configured = settings.as_ref().as_ref().ok();
    let origin =
        response::allowed_origin(configured.map(|settings| &settings.config), presented.origin.as_deref());
    let routed = route::route(request.method().as_ref(), &request.path());
    let name = match &routed {
        Routed::To(route) | Routed::Preflight(route) | Routed::MethodNotAllowed(route) => route.name(),
        Routed::NotFound => "none",
    };
    let answer = match answer(request, &env, &settings, &presented, routed, &request_id).await {
        Ok(answer) => answer,
        Err(failure) => {
            log::failed(&request_id, name, &failure);
            response::problem(&failure)?
        }
    };
    response::finish(answer, &request_id, origin.as_deref())
}

fn presented(request: &Request) -> Presented {
    let header = |headers: &Headers, name| headers.get(name).ok().flatten();
    let headers = request.headers();
    Presented {
        origin: header(headers, "origin"),
        authorization: header(headers, "authorization"),
        subprotocols: header(headers, "sec-websocket-protocol"),
        query_token: Query::of(request).all("token").next().map(ToOwned::to_owned),
    }
}

async fn answer(
    mut request: Request,
    env: &Env,
    settings: &Result<Settings, SettingsError>,
    presented: &Presented,
    routed: Routed,
    request_id: &str,
) -> Result<Response, Failure> {
    let route = match routed {
        Routed::To(route) => route,
        Routed::Preflight(route) => {
            return response::preflight(&route).map_err(Failure::platform("write the answer"));
        }
        Routed::MethodNotAllowed(route) => return Err(Failure::MethodNotAllowed { allow: route.allow() }),
        Routed::NotFound => return Err(Failure::NotFound),
    };
    let ready = || settings.as_ref().map_err(|_| Failure::Misconfigured);
    match &route {
        Route::Connect { room } => {
            connect::answer(env, ready()?, &request, presented, room, request_id).await
        }
        Route::Publish { room } => {
            http::messages::publish(env, ready()?, &mut request, presented, room, request_id).await
        }
        Route::Messages { room } => {
            http::messages::list(env, ready()?, &request, presented, room, request_id).await
        }
        Route::Members { room } => {
            http::members::list(env, ready()?, &request, presented, room, request_id).await
        }
        Route::Room { room } if request.method() == Method::Delete => {
            http::room::delete(env, ready()?, presented, room, request_id).await
        }
        Route::Room { room } => http::room::info(env, ready()?, presented, room, request_id).await,
        #[cfg(feature = "faults")]
        Route::DevFault { room } => http::dev::fault(env, ready()?, &mut request, room).await,
        Route::Health => http::health::health(settings),
        Route::Jwks => http::health::jwks(ready()?),
        Route::DevToken => http::dev::token(ready()?, &mut request).await,
        Route::Elsewhere => elsewhere(env, request).await,
    }
}

/// What is outside the API: the demo, where one is bound and has it.
async fn elsewhere(env: &Env, request: Request) -> Result<Response, Failure> {
    let Ok(demo) = env.service(DEMO) else { return Err(Failure::NotFound) };
    let answer = demo.fetch_request(request).await.map_err(Failure::platform("reach the demo"))?;
    if answer.status_code() == 404 { Err(Failure::NotFound) } else { Ok(answer) }
}
