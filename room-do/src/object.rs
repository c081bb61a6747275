//! The class that the platform constructs, and its callbacks: each is one call on [`Live`].

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use deployment::Settings;
use js_sys::{Promise, Uint8Array};
use room_core::{Setup, Waking, outbox::Webhooks};
use schemas::{
    Claims, Codec, Frame, Payload, RoomName, Tenant,
    codes::ErrorCode,
    config::{Acks, Config, KindConfig},
    http::{CLAIMS_HEADER, CODEC_HEADER, MethodCall, MethodCaller, REQUEST_ID_HEADER, RoomCall},
};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use worker::{
    Env, Headers, Request, Response, ResponseBuilder, Result, State, WebSocketPair,
    worker_sys::{self, WebSocketRequestResponsePair, web_sys},
};

use crate::{
    answer, behaviors,
    courier::{self, Courier},
    directory::Directory,
    live::{Live, Outside},
    log::Log,
    platform::socket::{Socket, measures_unsent},
    verify::Verifier,
};

/// Constructed when an event wakes it; the room itself is rebuilt by the first event that needs it.
#[wasm_bindgen(js_name = Room)]
pub struct RoomObject {
    shared: Rc<Shared>,
}

struct Shared {
    state: Rc<worker_sys::DurableObjectState>,
    env: Env,
    live: RefCell<Option<Rc<Live>>>,
    /// Until the room is rebuilt.
    waking: Cell<Waking>,
}

impl fmt::Debug for RoomObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoomObject").finish_non_exhaustive()
    }
}

#[wasm_bindgen(js_class = Room)]
impl RoomObject {
    /// `after_fault`: the object was there before, and lost its memory to a trap.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: worker_sys::DurableObjectState, env: Env, after_fault: bool) -> RoomObject {
        let waking = Cell::new(if after_fault { Waking::FromFault } else { Waking::FromSleep });
        RoomObject {
            shared: Rc::new(Shared { state: Rc::new(state), env, live: RefCell::new(None), waking }),
        }
    }

    /// `/connect` upgrades, `/call` asks; `/call/{method}` is for Workers that are bound to the rooms.
    pub fn fetch(&self, request: web_sys::Request) -> Promise {
        let shared = Rc::clone(&self.shared);
        future_to_promise(async move {
            let response = shared.fetch(request.into()).await.map_err(JsValue::from)?;
            Ok(web_sys::Response::from(response).into())
        })
    }

    pub fn alarm(&self) -> std::result::Result<(), JsValue> {
        #[cfg(feature = "faults")]
        if crate::faults::throws_on_alarm() {
            return Err(JsValue::from_str("a fault was asked for"));
        }
        self.shared.live(None).map(|live| live.alarm()).map_err(|reason| JsValue::from_str(&reason))
    }

    #[wasm_bindgen(js_name = webSocketMessage)]
    pub fn web_socket_message(&self, socket: web_sys::WebSocket, message: JsValue) {
        let frame = match message.as_string() {
            Some(text) => Frame::Text(text),
            None => Frame::Binary(Uint8Array::new(&message).to_vec()),
        };
        if let Some(live) = self.shared.live_or_close(&socket, None) {
            live.receive(socket.unchecked_ref(), frame);
        }
    }

    #[wasm_bindgen(js_name = webSocketClose)]
    pub fn web_socket_close(&self, socket: web_sys::WebSocket, code: u16) {
        if let Some(live) = self.shared.live_or_close(&socket, Some(socket.unchecked_ref())) {
            live.close(socket.unchecked_ref(), code);
        }
    }

    #[wasm_bindgen(js_name = webSocketError)]
    pub fn web_socket_error(&self, socket: web_sys::WebSocket) {
        const ABNORMAL: u16 = 1006;
        self.web_socket_close(socket, ABNORMAL);
    }
}

impl Shared {
    /// The room, rebuilt if it is not in memory.
    fn live(&self, closing: Option<&Socket>) -> std::result::Result<Rc<Live>, String> {
        if let Some(live) = &*self.live.borrow() {
            return Ok(Rc::clone(live));
        }
        let Configured { tenant, setup, log } = self.setup()?;
        let outside = Outside {
            directory: Directory::new(self.env.clone(), tenant.clone()),
            courier: Courier::new(self.env.clone(), tenant.clone(), log.clone()),
            verifier: Verifier::new(self.env.clone(), tenant, setup.name.clone()),
            log,
        };
        let live = Live::restore(self.state(), setup, outside, closing, self.waking.get())?;
        self.waking.set(Waking::FromSleep);
        self.live.replace(Some(Rc::clone(&live)));
        Ok(live)
    }

    /// A room that cannot be rebuilt cannot serve its sockets.
    fn live_or_close(&self, socket: &web_sys::WebSocket, closing: Option<&Socket>) -> Option<Rc<Live>> {
        match self.live(closing) {
            Ok(live) => Some(live),
            Err(reason) => {
                self.log().error("not_rebuilt").message(reason).write();
                let code = schemas::CloseCode::Overloaded;
                drop(socket.unchecked_ref::<Socket>().close(code.code(), code.reason()));
                None
            }
        }
    }

    /// For what happens while the configuration is not read.
    fn log(&self) -> Log {
        Log::new(&self.state().id().name().unwrap_or_default(), true)
    }

    fn state(&self) -> State {
        let raw: &JsValue = self.state.as_ref().as_ref();
        State::from(raw.clone().unchecked_into::<worker_sys::DurableObjectState>())
    }

    /// Tenant and room's name are the object's; the kind says how it behaves.
    fn setup(&self) -> std::result::Result<Configured, String> {
        let object = self.state().id().name().ok_or("the object has no name: it is reached by name alone")?;
        let names = object.split_once('/');
        let names = names.and_then(|(tenant, room)| Some((Tenant::parse(tenant)?, RoomName::parse(room)?)));
        let (tenant, name) =
            names.ok_or_else(|| format!("the object's name {object:?} is not tenant/kind:id"))?;
        let json = self.env.var_json().map_err(|error| error.to_string())?;
        let config = Config::parse(&json).map_err(|error| error.to_string())?;
        let (acks, log) = (config.acks, Log::new(&object, config.log_connections));
        let kind = config.kinds.into_iter().find(|(kind, _)| kind.as_str() == name.kind());
        let (_, config) = kind.ok_or_else(|| format!("no kind is called {:?}", name.kind()))?;
        let webhooks = self.webhooks(tenant.clone(), &config, name.kind())?;
        let behavior = behaviors::of(&config)?;
        let asks_acks = acks == Acks::Always || !measures_unsent();
        Ok(Configured { tenant, setup: Setup { name, config, asks_acks, webhooks, behavior }, log })
    }

    /// Secrets are read only where there is something to tell.
    fn webhooks(
        &self,
        tenant: Tenant,
        config: &KindConfig,
        kind: &str,
    ) -> std::result::Result<Webhooks, String> {
        if config.webhooks.is_empty() {
            return Ok(Webhooks { tenant, subscribers: Vec::new() });
        }
        let settings = Settings::of(&self.env);
        let settings = settings.as_ref().as_ref().map_err(ToString::to_string)?;
        Ok(courier::subscribed(settings, tenant, kind))
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let live = match self.live(None) {
            Ok(live) => live,
            Err(reason) => {
                let line = self.log().error("not_rebuilt").message(reason);
                line.request(&request_id(request.headers())).write();
                return answer::refusal(ErrorCode::Unavailable, "the room cannot be rebuilt");
            }
        };
        match request.path().as_str() {
            "/connect" => self.upgrade(&live, request.headers()),
            "/call" => {
                let body = request.bytes().await?;
                let Ok(call) = rmp_serde::from_slice::<RoomCall>(&body) else {
                    let line = self.log().error("call_not_read");
                    line.request(&request_id(request.headers())).write();
                    return answer::refusal(ErrorCode::Internal, "the gateway's call cannot be read");
                };
                answered(&live, call).await
            }
            path if path.starts_with(METHODS) => {
                let method = path[METHODS.len()..].to_owned();
                let body = request.bytes().await?;
                match method_call(method, &body) {
                    Ok(call) => answered(&live, RoomCall::Method(call)).await,
                    Err(message) => answer::invalid("args", &message),
                }
            }
            #[cfg(feature = "faults")]
            "/fault" => {
                let body = request.text().await?;
                if let Some(id) = body.strip_prefix("give_up ") {
                    let Configured { tenant, setup, log } = self.setup()?;
                    let parked = crate::faults::given_up(tenant.clone(), setup.name, id);
                    let is_taken = Courier::new(self.env.clone(), tenant, log).park(&parked).await;
                    return Ok(Response::empty()?.with_status(if is_taken { 200 } else { 409 }));
                }
                let (name, count) = body.split_once(' ').unwrap_or((&body, "1"));
                if crate::faults::arm(name, count.parse().unwrap_or(1)) {
                    return Response::empty();
                }
                answer::refusal(ErrorCode::InvalidArgument, "there is no such fault")
            }
            _ => answer::refusal(ErrorCode::NotFound, "a room has no such path"),
        }
    }

    fn upgrade(&self, live: &Live, headers: &Headers) -> Result<Response> {
        let claims = headers.get(CLAIMS_HEADER)?.and_then(|text| read_claims(&text));
        let codec = headers.get(CODEC_HEADER)?.and_then(|name| Codec::from_subprotocol(&name));
        let request_id = request_id(headers);
        let (Some(claims), Some(codec)) = (claims, codec) else {
            self.log().error("upgrade_not_read").request(&request_id).write();
            return answer::refusal(ErrorCode::Internal, "the gateway's headers cannot be read");
        };
        let WebSocketPair { client, server } = WebSocketPair::new()?;
        let answer = Headers::new();
        answer.set("sec-websocket-protocol", codec.subprotocol())?;
        let answer = ResponseBuilder::new().with_websocket(client).with_status(101).with_headers(answer);
        if let Err(code) = live.admit(&claims, &request_id) {
            // Not for the platform to keep: what hibernates and never heard anything is closed late.
            server.accept()?;
            server.close(Some(code.code()), Some(code.reason()))?;
            return Ok(answer.empty());
        }
        let state = self.state();
        if state.get_websocket_auto_response().is_none() {
            state.set_websocket_auto_response(&WebSocketRequestResponsePair::new("ping", "pong")?);
        }
        state.accept_web_socket(&server);
        let server: JsValue = server.as_ref().into();
        live.open(server.unchecked_into(), codec, claims, &request_id);
        Ok(answer.empty())
    }
}

/// What Workers that are bound to the rooms call, with the arguments as JSON.
const METHODS: &str = "/call/";

fn method_call(method: String, body: &[u8]) -> std::result::Result<MethodCall, String> {
    let args = match body {
        [] => Payload::of(&()),
        body => Payload::from_json(String::from_utf8_lossy(body).into_owned())
            .map_err(|error| error.to_string())?,
    };
    Ok(MethodCall { method, args, caller: MethodCaller::Service })
}

async fn answered(live: &Live, call: RoomCall) -> Result<Response> {
    match live.ask(call).await {
        Ok(answer) => answer::response(answer),
        Err(_) => answer::refusal(ErrorCode::Unavailable, "the room went away"),
    }
}

/// What the room was configured to be.
struct Configured {
    tenant: Tenant,
    setup: Setup,
    log: Log,
}

/// That of the request that the gateway serves; "" where there is none.
fn request_id(headers: &Headers) -> String {
    headers.get(REQUEST_ID_HEADER).ok().flatten().unwrap_or_default()
}

fn read_claims(text: &str) -> Option<Claims> {
    let json = URL_SAFE_NO_PAD.decode(text).ok()?;
    serde_json::from_slice(&json).ok()
}

/// The configuration's binding: an object on Cloudflare and in a generated workerd configuration.
trait VarJson {
    fn var_json(&self) -> Result<String>;
}

impl VarJson for Env {
    fn var_json(&self) -> Result<String> {
        let value = js_sys::Reflect::get(self, &JsValue::from_str("roomcast"))?;
        let text = js_sys::JSON::stringify(&value)?;
        text.as_string().ok_or_else(|| "vars.roomcast is missing".into())
    }
}
