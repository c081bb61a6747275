//! The router Worker: parse, authenticate, forward. Stateless, and the only thing that the internet talks to.
//!
//! A request is a [`route`]; a route that concerns a room is checked ([`access`]) by what it shows of itself and what
//! was configured ([`deployment`]), with nothing but arguments; and only a request that may be served becomes one call
//! to the room's object ([`forward`]). Its answer goes back as it is. Whatever ends badly is a [`failure::Failure`]
//! and leaves as a problem, or, where a browser upgrades, as a WebSocket that is closed with a code ([`connect`]).
//!
//! Architecture invariant: no room is touched for a request that is refused here: not woken, not created.
//!
//! Architecture invariant: trust flows one way. The request that an object gets is built from nothing, so no header
//! from outside can speak for the gateway, and no token leaves it.
//!
//! The objects' classes are exported from here too: the crate `roomcast-worker` makes one Wasm module of them.

mod access;
mod body;
mod connect;
mod exchange;
mod failure;
mod forward;
mod http;
mod log;
mod rates;
mod response;
mod route;
mod tenant;

use deployment::{Settings, SettingsError};
pub use directory::DirectoryObject;
pub use limiter::LimiterObject;
pub use room_do::{RoomObject, register};
#[doc(hidden)]
pub use wasm_bindgen;
use worker::{Context, Env, Method, Request, Response, event};

use crate::{
    exchange::Exchange,
    failure::Failure,
    route::{Route, Routed},
};

/// The static demo that `cargo xtask dev` binds.
const DEMO: &str = "DEMO";

/// Makes a module of the gateway and the rooms, whose kinds may have these behaviors: a path to a function that returns
/// `room-core`'s `Behaviors`. Once in a crate of type `cdylib`.
#[macro_export]
macro_rules! worker {
    ($behaviors:path) => {
        // Runs as an instance of the module begins, and again in the one that takes its place after a trap.
        #[$crate::wasm_bindgen::prelude::wasm_bindgen(start, wasm_bindgen = $crate::wasm_bindgen)]
        fn begin() {
            $crate::register($behaviors);
        }
    };
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    let settings = Settings::of(&env);
    // As it came: the enum knows no other methods than its own, and takes any other for GET.
    let method = request.inner().method();
    let routed = route::route(&method, &request.path());
    let (name, scope) = match &routed {
        Routed::To(route) | Routed::Preflight(route) | Routed::MethodNotAllowed(route) => {
            (route.name(), route.scope(&method))
        }
        Routed::NotFound => ("none", None),
    };
    let request_id = response::request_id(request.headers());
    let config = settings.as_ref().as_ref().ok().map(|settings| &settings.config);
    let presented = exchange::presented(&request, scope, config);
    let origin = response::allowed_origin(config, presented.origin.as_deref());
    let answer = match routed {
        Routed::To(route) => match settings.as_ref() {
            Ok(settings) => {
                let request_id = request_id.clone();
                let context = &context;
                let exchange = Exchange { env: &env, context, settings, request, presented, request_id };
                serve(exchange, route).await
            }
            Err(error) => serve_misconfigured(&env, request, &route, error).await,
        },
        Routed::Preflight(route) => {
            response::preflight(&route).map_err(Failure::platform("write the answer"))
        }
        Routed::MethodNotAllowed(route) => Err(Failure::MethodNotAllowed { allow: route.allow() }),
        Routed::NotFound => Err(Failure::NotFound),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => {
            log::failed(&request_id, name, &failure);
            response::problem(&failure)?
        }
    };
    response::finish(answer, &request_id, origin.as_deref())
}

async fn serve(mut exchange: Exchange<'_>, route: Route) -> Result<Response, Failure> {
    let exchange = &mut exchange;
    if route.is_api() {
        exchange.spend_of_address().await?;
    }
    match &route {
        Route::Connect { room } => connect::answer(exchange, room).await,
        Route::Publish { room } => http::messages::publish(exchange, room).await,
        Route::Messages { room } => http::messages::list(exchange, room).await,
        Route::Message { room, offset } if exchange.request.method() == Method::Delete => {
            http::messages::remove(exchange, room, offset).await
        }
        Route::Message { room, offset } => http::messages::edit(exchange, room, offset).await,
        Route::State { room } if exchange.request.method() == Method::Patch => {
            http::state::write(exchange, room).await
        }
        Route::State { room } => http::state::read(exchange, room).await,
        Route::Disconnect { room } => http::disconnect::answer(exchange, room).await,
        Route::Batch => http::batch::answer(exchange).await,
        Route::UserPublish { user } => http::users::publish(exchange, user).await,
        Route::Call { room, method } => http::methods::call(exchange, room, method).await,
        Route::Members { room } => http::members::list(exchange, room).await,
        Route::Events { room } => http::events::answer(exchange, room).await,
        Route::Stream { room } => http::stream::answer(exchange, room).await,
        Route::Tokens => http::tokens::issue(exchange).await,
        Route::OpenApi => http::openapi::document(),
        Route::Docs => http::openapi::page(),
        Route::Room { room } if exchange.request.method() == Method::Delete => {
            http::room::delete(exchange, room).await
        }
        Route::Room { room } => http::room::info(exchange, room).await,
        #[cfg(feature = "faults")]
        Route::DevFault { room } => http::dev::fault(exchange, room).await,
        Route::Rooms => http::directory::rooms(exchange).await,
        Route::Usage => http::directory::usage(exchange).await,
        Route::Revocations => http::directory::revoke(exchange).await,
        Route::DisconnectUser { user } => http::directory::disconnect(exchange, user).await,
        Route::ParkedList => http::parked::list(exchange).await,
        Route::Parked { id } => http::parked::forget(exchange, id).await,
        Route::Replay { id } => http::parked::replay(exchange, id).await,
        Route::Metrics => http::directory::metrics_text(exchange).await,
        Route::Health => http::health::health(exchange.env),
        Route::Jwks => http::health::jwks(exchange.settings),
        Route::DevToken => http::dev::token(exchange).await,
        Route::Elsewhere => elsewhere(exchange.env, exchange.request.clone()).await,
    }
}

/// What can be answered whatever was configured: that it is wrong, and the demo.
async fn serve_misconfigured(
    env: &Env,
    request: Request,
    route: &Route,
    error: &SettingsError,
) -> Result<Response, Failure> {
    match route {
        Route::Health => http::health::misconfigured(error),
        Route::Elsewhere => elsewhere(env, Ok(request)).await,
        _ => Err(Failure::Misconfigured),
    }
}

/// What is outside the API: the demo, where one is bound and has it.
async fn elsewhere(env: &Env, request: worker::Result<Request>) -> Result<Response, Failure> {
    let Ok(demo) = env.service(DEMO) else { return Err(Failure::NotFound) };
    let failed = Failure::platform("reach the demo");
    let answer = demo.fetch_request(request.map_err(&failed)?).await.map_err(failed)?;
    if answer.status_code() == 404 { Err(Failure::NotFound) } else { Ok(answer) }
}
