//! What hooks are told, and what they answer.

use std::collections::BTreeSet;

use schemas::{
    Capabilities, ConnectionId, Offset, Payload, PublicSession, UserId,
    client_message::To,
    server_message::{Author, LeaveReason},
};
use serde::{Serialize, de::DeserializeOwned};

use super::failure::Failure;

/// Who calls a method, or caused a hook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// `None` for an API key, another Worker, and the room itself.
    pub user: Option<UserId>,
    /// The public one; with a connection alone.
    pub session: Option<PublicSession>,
    pub connection: Option<ConnectionId>,
    /// The token's `info`.
    pub info: Option<Payload>,
    pub capabilities: Capabilities,
}

impl Caller {
    /// Whether it is an API key, another Worker, or the room itself: nobody's user.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.user.is_none()
    }

    /// As the author of what is published in its name.
    #[must_use]
    pub fn author(&self) -> Option<Author> {
        let user = self.user.clone()?;
        Some(Author { user, session: self.session.clone(), info: self.info.clone() })
    }
}

/// Somebody says hello, and may come in or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Joining {
    pub user: UserId,
    pub session: PublicSession,
    pub connection: ConnectionId,
    /// The token's `info`.
    pub info: Option<Payload>,
    pub capabilities: Capabilities,
    /// The session is a member still: it comes back within its grace, or replaces its connection.
    pub returning: bool,
    /// The presence data that hello brings.
    pub presence: Option<Payload>,
}

/// How somebody comes in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Admission {
    /// Tags of the connection beside its own, such as `$team-red`: those that begin with `$` cannot be dropped or
    /// taken by clients. At most 8; more are cut off.
    pub tags: Vec<String>,
    /// Presence data in the place of what hello brought.
    pub presence: Option<Payload>,
}

impl Admission {
    #[must_use]
    pub fn tagged<T: Into<String>>(tags: impl IntoIterator<Item = T>) -> Admission {
        Admission { tags: tags.into_iter().map(Into::into).collect(), presence: None }
    }

    /// With this presence data.
    ///
    /// # Panics
    /// Where it has no JSON form: maps with other keys than strings.
    #[must_use]
    pub fn presence(self, data: &impl Serialize) -> Admission {
        Admission { presence: Some(Payload::of(data)), ..self }
    }
}

/// A membership ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    pub user: UserId,
    pub session: PublicSession,
    pub reason: LeaveReason,
}

/// Something is to be published: by a client, or by a backend.
#[derive(Debug)]
pub struct Publishing<'a> {
    /// `None` for a backend that names none.
    pub author: Option<&'a Author>,
    /// `None` for what comes over HTTP.
    pub connection: Option<ConnectionId>,
    pub kind: &'a str,
    pub data: &'a Payload,
    pub tags: &'a [String],
    pub to: Option<&'a To>,
    pub ephemeral: bool,
}

impl Publishing<'_> {
    /// What it says, as a type.
    ///
    /// # Errors
    /// `invalid_argument` with the path of what does not fit.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        parse("data", self.data)
    }

    /// The user in whose name it is.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        self.author.map(|author| &author.user)
    }
}

/// What becomes of a publish.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It goes its way.
    Pass,
    /// It goes its way, as something else.
    Change(Change),
    /// The publisher is told why not.
    Refuse(Failure),
    /// The publisher is told that it was taken; nobody else hears of it, and it takes no offset.
    Consume,
}

/// What a publish says instead. `None` leaves what it said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    pub kind: Option<String>,
    pub data: Option<Payload>,
    pub tags: Option<Vec<String>>,
}

/// A publication is to be changed: by a client, or by a backend.
#[derive(Debug)]
pub struct Amending<'a> {
    /// `None` for a backend that names none.
    pub author: Option<&'a Author>,
    /// Of the publication in question. It may be gone, or not the author's to change: that is looked at afterwards.
    pub target: Offset,
    pub change: Amendment<'a>,
}

/// How a publication is to be changed.
#[derive(Debug, Clone, Copy)]
pub enum Amendment<'a> {
    /// It says this from now on.
    Edit(&'a Payload),
    Remove,
    /// The author's reaction of this name stands from now on, or does not.
    React {
        name: &'a str,
        on: bool,
    },
}

impl Amending<'_> {
    /// What an edit says, as a type; `None` for what is no edit.
    ///
    /// # Errors
    /// `invalid_argument` with the path of what does not fit.
    pub fn data<T: DeserializeOwned>(&self) -> Result<Option<T>, Failure> {
        match self.change {
            Amendment::Edit(data) => parse("data", data).map(Some),
            Amendment::Remove | Amendment::React { .. } => Ok(None),
        }
    }
}

/// One tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// 1 for the first since the room came into memory.
    pub number: u64,
    /// When it was due, in milliseconds since 1970: ticks are as far apart as they should be, however late they come.
    pub at: u64,
}

/// A named timer has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    pub name: String,
    pub payload: Payload,
    /// 1 for the first; more after a hook that failed.
    pub attempt: u32,
    /// For when it was scheduled, in milliseconds since 1970.
    pub due: u64,
}

impl Fired {
    /// What it was scheduled with, as a type.
    ///
    /// # Errors
    /// `invalid_argument` with the path of what does not fit: another version of the code wrote it.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        parse("payload", &self.payload)
    }
}

/// A payload as a type.
pub(crate) fn parse<T: DeserializeOwned>(what: &str, payload: &Payload) -> Result<T, Failure> {
    let Payload::Json(text) = payload else {
        return Err(Failure::invalid(what, "is bytes, and must be JSON"));
    };
    let mut deserializer = serde_json::Deserializer::from_str(text.as_str());
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let said = error.inner().to_string();
        let said = without_place(&said);
        let within = Some(error.path().to_string()).filter(|path| path != ".");
        let path = match (within, missing_field(said)) {
            (Some(path), Some(field)) => format!("{path}.{field}"),
            (None, Some(field)) => field.to_owned(),
            (path, None) => path.unwrap_or_else(|| what.to_owned()),
        };
        Failure::invalid(path, said)
    })
}

/// Serde names a field that is missing, and gives the path of what misses it.
fn missing_field(sentence: &str) -> Option<&str> {
    sentence.strip_prefix("missing field `")?.strip_suffix('`')
}

/// Serde's sentence without the line and column, which tell nothing of a payload.
fn without_place(sentence: &str) -> &str {
    sentence.rsplit_once(" at line ").map_or(sentence, |(said, _)| said)
}

/// What is published or sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub(crate) kind: String,
    pub(crate) data: Payload,
    pub(crate) tags: Vec<String>,
    pub(crate) to: Option<To>,
    pub(crate) author: Option<Author>,
    pub(crate) but_users: BTreeSet<UserId>,
    pub(crate) but_sessions: BTreeSet<PublicSession>,
}

impl Message {
    /// To everyone, from nobody.
    ///
    /// # Panics
    /// Where `data` has no JSON form: maps with other keys than strings.
    #[must_use]
    pub fn new(kind: &str, data: &impl Serialize) -> Message {
        Message::of(kind, Payload::of(data))
    }

    /// As [`Message::new`], of a payload as it came, or of bytes.
    #[must_use]
    pub fn of(kind: &str, data: Payload) -> Message {
        let kind = kind.to_owned();
        let (but_users, but_sessions) = (BTreeSet::new(), BTreeSet::new());
        Message { kind, data, tags: Vec::new(), to: None, author: None, but_users, but_sessions }
    }

    /// For connections with one of these tags.
    #[must_use]
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Message {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// For these users, and whom else it names. At most 100 users, sessions and connections together.
    #[must_use]
    pub fn to_users(mut self, users: impl IntoIterator<Item = UserId>) -> Message {
        self.to.get_or_insert_default().users.extend(users);
        self
    }

    /// For these sessions, and whom else it names.
    #[must_use]
    pub fn to_sessions(mut self, sessions: impl IntoIterator<Item = PublicSession>) -> Message {
        self.to.get_or_insert_default().sessions.extend(sessions);
        self
    }

    /// For these connections, and whom else it names. For what is sent, not for what is published.
    #[must_use]
    pub fn to_connections(mut self, connections: impl IntoIterator<Item = ConnectionId>) -> Message {
        self.to.get_or_insert_default().connections.extend(connections);
        self
    }

    /// Not for this user. For what is sent, not for what is published.
    #[must_use]
    pub fn but_user(mut self, user: &UserId) -> Message {
        self.but_users.insert(user.clone());
        self
    }

    /// Not for this session. For what is sent, not for what is published.
    #[must_use]
    pub fn but_session(mut self, session: &PublicSession) -> Message {
        self.but_sessions.insert(session.clone());
        self
    }

    /// In somebody's name.
    #[must_use]
    pub fn from(self, author: Author) -> Message {
        Message { author: Some(author), ..self }
    }
}

/// A named timer as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled {
    pub name: String,
    /// When it fires next, in milliseconds since 1970.
    pub at: u64,
    /// Of that firing: 1 for the first.
    pub attempt: u32,
}

/// No timer is later: a day ahead of the last instant that a JavaScript `Date` tells (ECMA-262, 21.4.1.1).
const LATEST_MS: u64 = 8_640_000_000_000_000 - 86_400_000;

/// When a timer fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// So many milliseconds from now.
    After(u64),
    /// Milliseconds since 1970.
    At(u64),
}

impl When {
    /// `"250ms"`, `"30s"`, `"5m"`, `"1h"` or `"2d"` from now.
    ///
    /// # Panics
    /// Where the text is none of these: it is a mistake in the source.
    #[must_use]
    pub fn after(duration: &str) -> When {
        let ms = schemas::config::parse_duration(duration);
        When::After(ms.unwrap_or_else(|| panic!("{duration:?} is not a duration such as \"30s\"")))
    }

    pub(crate) fn from(self, now: u64) -> u64 {
        match self {
            When::After(ms) => now.saturating_add(ms),
            When::At(at) => at,
        }
        .min(LATEST_MS)
    }
}

/// Which values are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    pub(crate) prefix: String,
    pub(crate) start: Option<String>,
    pub(crate) end: Option<String>,
    pub(crate) limit: Option<usize>,
    pub(crate) reverse: bool,
}

impl List {
    /// All whose key begins with it; "" for all there are.
    #[must_use]
    pub fn prefix(prefix: &str) -> List {
        List { prefix: prefix.to_owned(), ..List::default() }
    }

    /// From this key on, in the order of the keys' bytes.
    #[must_use]
    pub fn start(self, key: &str) -> List {
        List { start: Some(key.to_owned()), ..self }
    }

    /// Up to this key, which is not in it.
    #[must_use]
    pub fn end(self, key: &str) -> List {
        List { end: Some(key.to_owned()), ..self }
    }

    /// At most so many: 1,000 where this is not said.
    #[must_use]
    pub fn limit(self, limit: usize) -> List {
        List { limit: Some(limit), ..self }
    }

    /// From the last key to the first.
    #[must_use]
    pub fn reverse(self) -> List {
        List { reverse: true, ..self }
    }
}
