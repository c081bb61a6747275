//! What a behavior offers: the one table of its methods, and the types of what it tells.

use std::{
    any::TypeId,
    collections::{BTreeMap, BTreeSet},
    fmt,
    marker::PhantomData,
};

use garde::Validate;
use schemas::{ErrorCode, Payload, client_message::StateOp, server_message::Detail};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Behavior,
    context::Context,
    events::{Caller, parse},
    failure::{Failure, MethodError},
    stream::{Chunks, Stream},
    types::{Typed, Types},
};

/// What a method takes: deserialised from JSON (serde), then held against its constraints (garde).
pub trait Arguments: DeserializeOwned + Validate<Context = ()> + Typed {}

impl<A: DeserializeOwned + Validate<Context = ()> + Typed> Arguments for A {}

/// What a call comes to.
pub(crate) enum Outcome {
    Value(Payload),
    Stream(Chunks),
}

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Users with the capability `call`, API keys, other Workers.
    Everyone,
    /// API keys and other Workers.
    Services,
}

type Run<B> = dyn Fn(&mut B, &mut Context<'_>, &Payload) -> Result<Outcome, Failure>;

pub(crate) struct Method<B> {
    pub(crate) audience: Audience,
    run: Box<Run<B>>,
    /// The function's own.
    id: TypeId,
    #[cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "types are written natively alone"))]
    described: Described,
}

/// How its types are written. In a Worker nobody asks, and nothing of it is linked.
#[cfg(not(target_arch = "wasm32"))]
struct Described {
    is_streamed: bool,
    types: fn(&mut Types) -> MethodTypes,
}

#[cfg(target_arch = "wasm32")]
struct Described;

/// The TypeScript names of a method's types.
#[cfg(not(target_arch = "wasm32"))]
struct MethodTypes {
    args: String,
    result: String,
    error: String,
}

/// A behavior's methods, events, state and presence: [`Behavior::describe`] fills it.
pub struct Interface<B> {
    methods: BTreeMap<&'static str, Method<B>>,
    own_events: BTreeSet<&'static str>,
    own_state: BTreeSet<&'static str>,
    told: Told,
    of: PhantomData<fn(&mut B)>,
}

/// The TypeScript of what clients see besides.
#[derive(Default)]
struct Told {
    types: Types,
    events: BTreeMap<&'static str, String>,
    state: BTreeMap<&'static str, String>,
    presence: Option<String>,
}

impl<B> fmt::Debug for Interface<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.methods.keys()).finish()
    }
}

impl<B: Behavior> Interface<B> {
    #[must_use]
    pub fn of_behavior() -> Interface<B> {
        let (own_events, own_state) = (BTreeSet::new(), BTreeSet::new());
        let (methods, told) = (BTreeMap::new(), Told::default());
        let mut interface = Interface { methods, own_events, own_state, told, of: PhantomData };
        B::describe(&mut interface);
        interface
    }

    /// A method that users with the capability `call`, API keys and other Workers may call.
    ///
    /// # Panics
    /// Where the name is taken, or is not `[a-z][a-z0-9_]{0,63}`.
    pub fn method<F, A, R, E>(&mut self, name: &'static str, function: F)
    where
        F: Fn(&mut B, &mut Context<'_>, A) -> Result<R, E> + 'static,
        A: Arguments,
        R: Serialize + Typed,
        E: MethodError,
    {
        self.add_method(name, Audience::Everyone, function);
    }

    /// A method for API keys and other Workers alone.
    ///
    /// # Panics
    /// As [`Interface::method`].
    pub fn service<F, A, R, E>(&mut self, name: &'static str, function: F)
    where
        F: Fn(&mut B, &mut Context<'_>, A) -> Result<R, E> + 'static,
        A: Arguments,
        R: Serialize + Typed,
        E: MethodError,
    {
        self.add_method(name, Audience::Services, function);
    }

    fn add_method<F, A, R, E>(&mut self, name: &'static str, audience: Audience, function: F)
    where
        F: Fn(&mut B, &mut Context<'_>, A) -> Result<R, E> + 'static,
        A: Arguments,
        R: Serialize + Typed,
        E: MethodError,
    {
        let id = TypeId::of::<F>();
        let run = move |behavior: &mut B, ctx: &mut Context<'_>, args: &Payload| {
            let result = function(behavior, ctx, arguments(args)?).map_err(MethodError::into_failure)?;
            payload_of("the result", &result).map(Outcome::Value)
        };
        let method = Method { audience, run: Box::new(run), id, described: described::<A, R, E>(false) };
        self.add(name, method);
    }

    /// A method whose result comes chunk by chunk, for the same callers as [`Interface::method`].
    ///
    /// # Panics
    /// As [`Interface::method`].
    pub fn stream<F, A, T, E>(&mut self, name: &'static str, function: F)
    where
        F: Fn(&mut B, &mut Context<'_>, A) -> Result<Stream<B, T>, E> + 'static,
        A: Arguments,
        T: Serialize + Typed,
        E: MethodError,
    {
        let id = TypeId::of::<F>();
        let run = move |behavior: &mut B, ctx: &mut Context<'_>, args: &Payload| {
            let stream = function(behavior, ctx, arguments(args)?).map_err(MethodError::into_failure)?;
            Ok(Outcome::Stream(stream.into_chunks()))
        };
        let (audience, run) = (Audience::Everyone, Box::new(run));
        self.add(name, Method { audience, run, id, described: described::<A, T, E>(true) });
    }

    fn add(&mut self, name: &'static str, method: Method<B>) {
        assert!(is_name(name), "{}: {name:?} is no name of a method: [a-z][a-z0-9_]{{0,63}}", B::NAME);
        let taken = self.methods.insert(name, method);
        assert!(taken.is_none(), "{}: two methods are called {name:?}", B::NAME);
    }

    /// Publications and ephemerals of this type are the room's own, and carry this data. A user who publishes or edits
    /// one is told `forbidden`; a backend may.
    pub fn event<T: Typed>(&mut self, kind: &'static str) {
        self.client_event::<T>(kind);
        self.own_events.insert(kind);
    }

    /// Publications and ephemerals of this type carry this data, whoever they are from.
    pub fn client_event<T: Typed>(&mut self, kind: &'static str) {
        self.tell(|told| drop(told.events.insert(kind, told.types.add::<T>())));
    }

    /// This key of shared state is the room's own, and holds this. A user who writes it is told `forbidden`; a backend
    /// may.
    pub fn state<T: Typed>(&mut self, key: &'static str) {
        self.client_state::<T>(key);
        self.own_state.insert(key);
    }

    /// This key of shared state holds this, whoever wrote it.
    pub fn client_state<T: Typed>(&mut self, key: &'static str) {
        self.tell(|told| drop(told.state.insert(key, told.types.add::<T>())));
    }

    /// Members' presence data is this.
    pub fn presence<T: Typed>(&mut self) {
        self.tell(|told| told.presence = Some(told.types.add::<T>()));
    }

    /// In a Worker nobody asks.
    fn tell(&mut self, tell: impl FnOnce(&mut Told)) {
        if cfg!(not(target_arch = "wasm32")) {
            tell(&mut self.told);
        }
    }

    /// Whether the caller may publish this type.
    pub(crate) fn may_publish(&self, caller: &Caller, kind: &str) -> Result<(), Failure> {
        match self.own_events.contains(kind) && !caller.is_service() {
            true => Err(own("type", format!("{kind:?} is told by the room alone"))),
            false => Ok(()),
        }
    }

    /// Whether the caller may write what these are about.
    pub(crate) fn may_write(&self, caller: &Caller, ops: &[StateOp]) -> Result<(), Failure> {
        let is_own = |op: &StateOp| self.own_state.contains(op.key());
        match ops.iter().position(is_own).filter(|_| !caller.is_service()) {
            Some(index) => {
                let message = format!("{:?} is written by the room alone", ops[index].key());
                Err(own(&format!("ops[{index}]"), message))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Method<B>> {
        self.methods.get(name)
    }

    /// Under which name a function is a method.
    #[must_use]
    pub fn name_of<F: 'static>(&self, _: &F) -> Option<&'static str> {
        let mut methods = self.methods.iter();
        methods.find(|(_, method)| method.id == TypeId::of::<F>()).map(|(name, _)| *name)
    }

    /// A TypeScript module: every type, and an interface that is called as the behavior is, in `PascalCase`.
    ///
    /// # Panics
    /// Where two types have the same name, or one has the interface's.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn typescript(self) -> String {
        let Interface { methods, told: Told { mut types, events, state, presence }, .. } = self;
        let mut tables = BTreeMap::from([
            ("methods", String::new()),
            ("services", String::new()),
            ("streams", String::new()),
        ]);
        for (name, method) in methods {
            let MethodTypes { args, result, error } = (method.described.types)(&mut types);
            let (table, gives) = match (method.audience, method.described.is_streamed) {
                (_, true) => ("streams", "item"),
                (Audience::Everyone, false) => ("methods", "result"),
                (Audience::Services, false) => ("services", "result"),
            };
            let entry = format!("\n    {name}: {{ args: {args}; {gives}: {result}; error: {error} }};");
            tables.entry(table).or_default().push_str(&entry);
        }
        for (table, named) in [("events", events), ("state", state)] {
            let entries = named.into_iter().map(|(name, data)| format!("\n    {name:?}: {data};"));
            tables.insert(table, entries.collect());
        }
        let block = |(table, entries): (&str, String)| match entries.as_str() {
            "" => format!("  {table}: {{}};\n"),
            entries => format!("  {table}: {{{entries}\n  }};\n"),
        };
        let name = pascal_case(B::NAME);
        assert!(
            !types.declares(&name),
            "{}: a type is called {name}, as the interface is: #[ts(rename = \"…\")] it",
            B::NAME
        );
        let presence = presence.unwrap_or_else(|| "unknown".to_owned());
        let tables: String = tables.into_iter().map(block).collect();
        let about = format!("What rooms with the behavior `{}` offer.", B::NAME);
        format!(
            "{}\n/** {about} */\nexport interface {name} {{\n{tables}  presence: {presence};\n}}\n",
            types.declarations()
        )
    }
}

impl<B> Method<B> {
    pub(crate) fn run(
        &self,
        behavior: &mut B,
        ctx: &mut Context<'_>,
        args: &Payload,
    ) -> Result<Outcome, Failure> {
        (self.run)(behavior, ctx, args)
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn described<A: Typed, R: Typed, E: MethodError>(is_streamed: bool) -> Described {
    let types = |types: &mut Types| MethodTypes {
        args: types.add::<A>(),
        result: types.add::<R>(),
        error: E::describe(types),
    };
    Described { is_streamed, types }
}

#[cfg(target_arch = "wasm32")]
#[expect(clippy::extra_unused_type_parameters, reason = "as its native namesake")]
fn described<A: Typed, R: Typed, E: MethodError>(_: bool) -> Described {
    Described
}

/// What is the room's own is forbidden to users.
fn own(path: &str, message: String) -> Failure {
    let details = vec![Detail { path: path.to_owned(), message: message.clone() }];
    Failure { details, ..Failure::with_code(ErrorCode::Forbidden, message) }
}

fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=64).contains(&name.len()) && name.as_bytes()[0].is_ascii_lowercase() && name.bytes().all(is_part)
}

#[cfg(not(target_arch = "wasm32"))]
fn pascal_case(name: &str) -> String {
    let capitalised = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    name.split('-').map(capitalised).collect()
}

/// None at all stands for an object without fields, so that what has defaults may be left out.
fn arguments<A: Arguments>(args: &Payload) -> Result<A, Failure> {
    const NONE: &str = "null";
    // Serde would take a list for the fields in their order.
    if matches!(args, Payload::Json(text) if text.as_str().trim_start().starts_with('[')) {
        return Err(Failure::invalid("args", "is a list, and must be an object"));
    }
    let parsed = match (parse("args", args), args) {
        (Err(_), Payload::Json(text)) if text.as_str() == NONE => {
            parse("args", &Payload::of(&BTreeMap::<(), ()>::new()))
        }
        (parsed, _) => parsed,
    };
    let args: A = parsed?;
    args.validate().map_err(|report| {
        let told = report.iter().map(|(path, error)| Detail {
            path: Some(path.to_string()).filter(|path| !path.is_empty()).unwrap_or_else(|| "args".into()),
            message: error.to_string(),
        });
        Failure::invalid_all(told.collect())
    })?;
    Ok(args)
}

/// What is told to whoever called: `what` names it where it cannot be.
pub(super) fn payload_of(what: &str, result: &impl Serialize) -> Result<Payload, Failure> {
    let text = serde_json::to_string(result);
    let text = text.map_err(|error| Failure::with_code(ErrorCode::Internal, format!("{what}: {error}")))?;
    if text.len() > RESULT_BYTES_MAX {
        let message = format!("{what} is {} bytes, and at most {RESULT_BYTES_MAX}", text.len());
        return Err(Failure::with_code(ErrorCode::TooLarge, message));
    }
    Payload::from_json(text).map_err(|error| Failure::with_code(ErrorCode::Internal, error.to_string()))
}

/// Bytes of a method's result, as JSON; what is larger is streamed. And of each item that is.
const RESULT_BYTES_MAX: usize = schemas::limits::PAYLOAD_BYTES_HARD;
