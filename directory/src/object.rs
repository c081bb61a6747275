//! The class that the platform constructs.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    fmt,
    rc::Rc,
};

use deployment::{
    clock,
    log::{self, Line},
    objects,
};
use directory_core::push::News;
use js_sys::Promise;
use schemas::{
    Tenant,
    directory::{DirectoryCall, Pushed, Report},
    http::REQUEST_ID_HEADER,
    webhook::{PARK_PATH, Parked},
};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use worker::{
    Env, Request, Response, Result, State,
    worker_sys::{self, web_sys},
};

use crate::{
    rooms,
    shard::{Paged, Shard},
    sql::SqlError,
};

/// Who asks for a push waits for it so long; the rest follows.
const PUSH_WAIT_MS: u64 = 5_000;

#[wasm_bindgen(js_name = Directory)]
pub struct DirectoryObject {
    shared: Rc<Shared>,
}

struct Shared {
    state: State,
    env: Env,
    shard: RefCell<Option<Shard>>,
    /// The alarm that storage holds, as far as is known.
    alarm_at: Cell<Option<u64>>,
    /// Pushes under way in this process.
    pushing: RefCell<BTreeSet<i64>>,
}

impl fmt::Debug for DirectoryObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryObject").finish_non_exhaustive()
    }
}

#[wasm_bindgen(js_class = Directory)]
impl DirectoryObject {
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: worker_sys::DurableObjectState, env: Env) -> DirectoryObject {
        let shared = Shared {
            state: State::from(state),
            env,
            shard: RefCell::new(None),
            alarm_at: Cell::new(None),
            pushing: RefCell::new(BTreeSet::new()),
        };
        DirectoryObject { shared: Rc::new(shared) }
    }

    /// `/report` takes a [`Report`], `/call` a [`DirectoryCall`], `/park` a [`Parked`].
    pub fn fetch(&self, request: web_sys::Request) -> Promise {
        let shared = Rc::clone(&self.shared);
        future_to_promise(async move {
            let response = shared.fetch(request.into()).await.map_err(JsValue::from)?;
            Ok(web_sys::Response::from(response).into())
        })
    }

    pub fn alarm(&self) -> Promise {
        let shared = Rc::clone(&self.shared);
        future_to_promise(async move {
            shared.alarm_at.set(None);
            let done = shared.do_what_is_due().await;
            shared.arm().await.map_err(JsValue::from)?;
            done.map_err(|error| JsValue::from_str(&error.to_string()))?;
            Ok(JsValue::UNDEFINED)
        })
    }
}

impl Shared {
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let request_id = request.headers().get(REQUEST_ID_HEADER)?.unwrap_or_default();
        let body = request.bytes().await?;
        let answer = match request.path().as_str() {
            "/report" => match rmp_serde::from_slice::<Report>(&body) {
                Ok(report) => self.with(|shard| shard.report(report, clock::now())).and_then(answer),
                Err(_) => return Response::error("the report cannot be read", 400),
            },
            PARK_PATH => match rmp_serde::from_slice::<Parked>(&body) {
                Ok(parked) => self.park(&parked),
                Err(_) => return Response::error("what is to be parked cannot be read", 400),
            },
            "/call" => match rmp_serde::from_slice::<DirectoryCall>(&body) {
                Ok(call) => self.answer(call).await,
                Err(_) => return Response::error("the call cannot be read", 400),
            },
            _ => return Response::error("a directory has no such path", 404),
        };
        self.arm().await?;
        answer.or_else(|error| {
            self.error("storage_failed").request(&request_id).failed(&error).write();
            Response::error("the directory's storage does not answer", 503)
        })
    }

    async fn answer(&self, call: DirectoryCall) -> std::result::Result<Response, SqlError> {
        match call {
            DirectoryCall::Rooms { prefix, after, limit } => {
                let after = after.unwrap_or_default();
                self.with(|shard| shard.rooms(&prefix, &after, limit)).and_then(answer)
            }
            DirectoryCall::Totals => self.with(|shard| shard.totals()).and_then(answer),
            DirectoryCall::Revocations { known } => {
                self.with(|shard| Ok(shard.known(known, clock::now()))).and_then(answer)
            }
            DirectoryCall::Revoke(revocation) => {
                let (id, has_forgotten) = self.with(|shard| shard.revoke(revocation, clock::now()))?;
                if has_forgotten {
                    self.error("revocation_forgotten").write();
                }
                answer(self.push_for_a_while(id).await)
            }
            DirectoryCall::ParkedAfter { after, limit } => {
                self.with(|shard| shard.parked_after(after.unwrap_or(0), limit)).and_then(answer)
            }
            DirectoryCall::Parked { id } => self.with(|shard| shard.parked(&id)).and_then(answer),
            DirectoryCall::Unpark { id } => self.with(|shard| shard.unpark(&id)).and_then(answer),
            DirectoryCall::Disconnect { user, reason } => {
                let news = News::Disconnect { user, reason };
                let id = self.with(|shard| shard.push(news, clock::now()))?;
                answer(self.push_for_a_while(id).await)
            }
        }
    }

    fn park(&self, parked: &Parked) -> std::result::Result<Response, SqlError> {
        let gone = self.with(|shard| shard.park(parked))?;
        if gone > 0 {
            self.error("parked_webhooks_gone").with("count", gone).write();
        }
        answer(())
    }

    /// The shard, opened if it is not in memory.
    fn with<T>(
        &self,
        work: impl FnOnce(&mut Shard) -> std::result::Result<T, SqlError>,
    ) -> std::result::Result<T, SqlError> {
        let mut shard = self.shard.borrow_mut();
        if shard.is_none() {
            *shard = Some(Shard::open(self.state.storage(), clock::now())?);
        }
        match &mut *shard {
            Some(shard) => work(shard),
            None => Err(SqlError::Column),
        }
    }

    /// An alarm that comes too early finds nothing due and sets the next.
    async fn arm(&self) -> Result<()> {
        let due_at = self.shard.borrow().as_ref().and_then(Shard::due_at);
        let Some(at) = due_at.filter(|at| self.alarm_at.get().is_none_or(|set| *at < set)) else {
            return Ok(());
        };
        self.alarm_at.set(Some(at));
        let time = js_sys::Date::new(&JsValue::from_f64(at as f64));
        let set = self.state.storage().set_alarm(worker::ScheduledTime::new(time)).await;
        if set.is_err() {
            self.alarm_at.set(None);
        }
        set
    }

    async fn do_what_is_due(&self) -> std::result::Result<(), SqlError> {
        let overdue = self.with(|shard| shard.overdue(clock::now()))?;
        let tenant = self.tenant();
        for asked in &overdue {
            match rooms::info(&self.env, &tenant, asked.report.room.as_str()).await {
                Ok(info) => self.with(|shard| shard.answered(asked, &info, clock::now()))?,
                Err(error) => {
                    let line =
                        self.warn("room_overdue").with("room", format!("{tenant}/{}", asked.report.room));
                    line.failed(&error).write();
                }
            }
        }
        for id in self.with(|shard| shard.due_pushes(clock::now()))? {
            self.push(id).await?;
        }
        self.with(Shard::look_again)
    }

    async fn push_for_a_while(&self, id: i64) -> Pushed {
        let closed = Cell::new(0);
        let complete = objects::within(PUSH_WAIT_MS, self.push_counting(id, &closed)).await;
        Pushed { closed: closed.get(), complete: complete.is_some_and(|done| done.unwrap_or(false)) }
    }

    async fn push(&self, id: i64) -> std::result::Result<bool, SqlError> {
        self.push_counting(id, &Cell::new(0)).await
    }

    /// Goes a round of a push, unless that is under way. Tells whether every room was reached.
    async fn push_counting(&self, id: i64, closed: &Cell<u64>) -> std::result::Result<bool, SqlError> {
        let Some(_guard) = Pushing::begin(&self.pushing, id) else { return Ok(false) };
        let tenant = self.tenant();
        loop {
            let Some((push, names)) = self.with(|shard| shard.next_page(id))? else { return Ok(true) };
            let (count, reached) = rooms::tell(&self.env, &tenant, &names, &push.news).await;
            closed.set(closed.get() + count);
            let paged = self.with(|shard| shard.paged(id, push, &names, !reached, clock::now()))?;
            match paged {
                Paged::GoesOn => {}
                Paged::RoundOver { was_whole } => return Ok(was_whole),
                Paged::GivenUp => {
                    self.error("push_given_up").write();
                    return Ok(false);
                }
            }
        }
    }

    /// Someone else was wrong, or failed.
    fn warn(&self, event: &'static str) -> Line {
        log::warn(event).with("directory", self.state.id().name())
    }

    /// We failed, or something was lost.
    fn error(&self, event: &'static str) -> Line {
        log::error(event).with("directory", self.state.id().name())
    }

    /// The object's name is tenant/shard.
    fn tenant(&self) -> Tenant {
        let name = self.state.id().name().unwrap_or_default();
        let tenant = name.split_once('/').and_then(|(tenant, _)| Tenant::parse(tenant));
        tenant.unwrap_or_else(Tenant::default_tenant)
    }
}

/// A push under way, until it is dropped.
struct Pushing<'a> {
    all: &'a RefCell<BTreeSet<i64>>,
    id: i64,
}

impl<'a> Pushing<'a> {
    fn begin(all: &'a RefCell<BTreeSet<i64>>, id: i64) -> Option<Pushing<'a>> {
        all.borrow_mut().insert(id).then_some(Pushing { all, id })
    }
}

impl Drop for Pushing<'_> {
    fn drop(&mut self) {
        self.all.borrow_mut().remove(&self.id);
    }
}

fn answer<T: Serialize>(value: T) -> std::result::Result<Response, SqlError> {
    Ok(Response::from_bytes(rmp_serde::to_vec_named(&value)?)?)
}
