//! The logic of a chat room.
//!
//! What people say goes through the room's log as it is; this keeps what a log does not: how far each user has read,
//! who answered where, who is mentioned, and who may not speak. [`words`] is what is said and asked, [`people`] and
//! [`index`] are the tables, and the hooks here decide.

mod index;
mod people;
mod refused;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use garde::Validate as _;
use room_core::behavior::{
    Admission, Amending, Amendment, Author, Behavior, Capability, Context, ErrorCode, Failure, Interface,
    Joining, Message, Publication, Publishing, Refusal, UserId, Verdict, Who,
};

pub use refused::{ChatError, Refused};
pub use words::{
    Attachment, Block, Doing, Entered, Mention, Mute, Muted, MutedUntil, Place, Policy, Profile, Reacted,
    Reply, Said, SlowMode, Thread, ThreadOf, Typing, Unread, Whom,
};

/// The key under which the pace is kept, and shared with everyone.
const POLICY: &str = "policy";
const MINUTE_MS: u64 = 60_000;
/// The type of the notices.
pub(crate) const MENTION: &str = "mention";
/// So many users are muted at a time.
const MUTED_MAX: usize = 5_000;

/// A chat room. What is here is a cache of what is stored.
#[derive(Debug)]
pub struct Chat {
    /// Until when users are muted.
    muted: BTreeMap<String, u64>,
    policy: Policy,
}

impl Behavior for Chat {
    const NAME: &'static str = "chat";
    const MIGRATIONS: &'static [&'static str] = &["
        CREATE TABLE chat_person (
            user TEXT PRIMARY KEY, info TEXT, seen INTEGER NOT NULL, read INTEGER NOT NULL DEFAULT 0,
            muted_until INTEGER NOT NULL DEFAULT 0, spoke_at INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID;
        CREATE TABLE chat_said (offset INTEGER PRIMARY KEY, user TEXT, thread INTEGER);
        CREATE INDEX chat_said_thread ON chat_said (thread, offset) WHERE thread IS NOT NULL;
        CREATE TABLE chat_mention (user TEXT, offset INTEGER, PRIMARY KEY (user, offset)) WITHOUT ROWID;
    "];

    fn describe(interface: &mut Interface<Self>) {
        interface.method("enter", Self::enter);
        interface.method("unread", Self::unread);
        interface.method("mark_read", Self::mark_read);
        interface.method("thread", Self::thread);
        interface.method("remove", Self::remove);
        interface.method("mute", Self::mute);
        interface.method("unmute", Self::unmute);
        interface.method("muted", Self::muted);
        interface.method("block", Self::block);
        interface.method("unblock", Self::unblock);
        interface.method("slow_mode", Self::slow_mode);
        interface.client_event::<Said>("message");
        interface.client_event::<Typing>("typing");
        interface.event::<Mention>(MENTION);
        interface.event::<Unread>("unread");
        interface.event::<MutedUntil>("muted");
        interface.state::<Policy>(POLICY);
        interface.presence::<Doing>();
    }

    fn started(ctx: &mut Context<'_>) -> Result<Chat, Failure> {
        let muted = people::muted(ctx)
            .map_err(Refused::of_publish)?
            .into_iter()
            .map(|Muted { user, until }| (user, until))
            .collect();
        Ok(Chat { muted, policy: ctx.get(POLICY).unwrap_or_default() })
    }

    /// Who is listed among those who are here is remembered; who only watches is not.
    fn join(&mut self, ctx: &mut Context<'_>, joining: &Joining) -> Result<Admission, Refusal> {
        if joining.capabilities.has(Capability::Presence) {
            // Who cannot be remembered may come in all the same.
            let _ = people::met(ctx, &joining.user, joining.info.as_ref());
        }
        Ok(Admission::default())
    }

    fn publish(&mut self, ctx: &mut Context<'_>, publishing: &Publishing<'_>) -> Verdict {
        match self.judge(ctx, publishing) {
            Ok(()) => Verdict::Pass,
            Err(refused) => Verdict::Refuse(refused.of_publish()),
        }
    }

    fn amend(&mut self, ctx: &mut Context<'_>, amending: &Amending<'_>) -> Result<(), Failure> {
        self.judge_change(ctx, amending).map_err(Refused::of_publish)
    }
}

impl Chat {
    fn judge(&mut self, ctx: &mut Context<'_>, publishing: &Publishing<'_>) -> Result<(), Refused> {
        if let Some(user) = publishing.user() {
            self.may_speak(user, ctx.now())?;
        }
        match (publishing.kind, publishing.ephemeral) {
            ("message", false) => self.say(ctx, publishing),
            ("message", true) => Err(Failure::invalid("ephemeral", "what is said is kept").into()),
            ("typing", false) => Err(Failure::invalid("ephemeral", "nobody keeps who was typing").into()),
            _ => Ok(()),
        }
    }

    /// The muted change nothing, but for taking back what they said.
    fn judge_change(&mut self, ctx: &mut Context<'_>, amending: &Amending<'_>) -> Result<(), Refused> {
        if let Amendment::Remove = amending.change {
            return index::removed(ctx, amending.target);
        }
        if let Some(author) = amending.author {
            self.may_speak(&author.user, ctx.now())?;
        }
        let Some(before) = index::at(ctx, amending.target.value()) else { return Ok(()) };
        match (amending.change, before.kind.as_str()) {
            (Amendment::Edit(_), "message") => judge_edit(ctx, amending, &before),
            (Amendment::Edit(_), MENTION) if !ctx.caller().is_service() => {
                Err(Failure::with_code(ErrorCode::Forbidden, "a mention is told by the room alone").into())
            }
            _ => Ok(()),
        }
    }

    fn may_speak(&self, user: &UserId, now: u64) -> Result<(), ChatError> {
        match self.muted.get(user.as_str()) {
            Some(&until) if until > now => Err(ChatError::Muted { until }),
            _ => Ok(()),
        }
    }

    fn say(&mut self, ctx: &mut Context<'_>, publishing: &Publishing<'_>) -> Result<(), Refused> {
        let said: Said = publishing.data()?;
        well_formed(&said)?;
        if publishing.to.is_some() || !publishing.tags.is_empty() {
            return Err(ChatError::Malformed { path: "to".into() }.into());
        }
        if let Some(thread) = said.thread {
            index::top_level(ctx, thread)?;
        }
        if let Some(user) = publishing.user() {
            self.keep_pace(ctx, user)?;
        }
        self.mention(ctx, publishing.author, &said)
    }

    /// In slow mode: not before the last message is old enough. Moderators and backends are not slowed down.
    fn keep_pace(&mut self, ctx: &mut Context<'_>, user: &UserId) -> Result<(), Refused> {
        let is_free = ctx.caller().is_service() || ctx.caller().capabilities.has(Capability::Moderate);
        if self.policy.slow_ms == 0 || is_free {
            return Ok(());
        }
        let now = ctx.now();
        let next = people::spoke_at(ctx, user)?.map_or(0, |spoke_at| spoke_at + self.policy.slow_ms);
        if next > now {
            return Err(ChatError::SlowMode { wait_ms: next - now }.into());
        }
        people::speaks(ctx, user)
    }

    /// Tells those who are mentioned, and nobody else. The notice takes the offset ahead of the message's.
    fn mention(
        &mut self,
        ctx: &mut Context<'_>,
        author: Option<&Author>,
        said: &Said,
    ) -> Result<(), Refused> {
        let users: BTreeSet<UserId> = said.mentions.iter().filter_map(|user| UserId::parse(user)).collect();
        let is_other = |user: &UserId| author.is_none_or(|author| author.user != *user);
        let users: Vec<UserId> = users.into_iter().filter(is_other).collect();
        if users.is_empty() {
            return Ok(());
        }
        let notice = notice_of(author.map(|author| &author.user), said);
        let mut message = Message::new(MENTION, &notice).to_users(users.iter().cloned());
        if let Some(author) = author {
            message = message.from(author.clone());
        }
        let offset = ctx.publish(message);
        for user in &users {
            people::mentioned(ctx, user, offset)?;
        }
        Ok(())
    }

    /// What a page needs to know when it came in, and after each reconnect.
    fn enter(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<Entered, Refused> {
        let user = caller(ctx)?;
        let moderator = ctx.caller().capabilities.has(Capability::Moderate);
        let muted_until =
            self.muted.get(user.as_str()).copied().filter(|until| *until > ctx.now()).unwrap_or(0);
        let unread = index::unread(ctx, &user)?;
        Ok(Entered { unread, muted_until, moderator, people: people::known(ctx)? })
    }

    /// How much of it the caller has not read.
    fn unread(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<Unread, Refused> {
        let user = caller(ctx)?;
        index::unread(ctx, &user)
    }

    /// The caller has read up to that offset. Their other sessions are told.
    fn mark_read(&mut self, ctx: &mut Context<'_>, Place { offset }: Place) -> Result<Unread, Refused> {
        let user = caller(ctx)?;
        let head = index::head(ctx);
        people::read(ctx, &user, offset.min(head))?;
        let unread = index::unread(ctx, &user)?;
        let mut message = Message::new("unread", &unread).to_users([user]);
        if let Some(session) = ctx.caller().session.clone() {
            message = message.but_session(&session);
        }
        ctx.send(message);
        Ok(unread)
    }

    /// What began a thread, and its answers: the newest, or those before an offset.
    fn thread(&mut self, ctx: &mut Context<'_>, asked: ThreadOf) -> Result<Thread, Refused> {
        index::thread(ctx, &asked)
    }

    /// Erases a message: the caller's own, or any for moderators.
    fn remove(&mut self, ctx: &mut Context<'_>, Place { offset }: Place) -> Result<Place, Refused> {
        let message = index::message(ctx, offset).ok_or(ChatError::NoSuchMessage)?;
        let (author, caller) = (message.from.map(|author| author.user), ctx.caller());
        let is_own = caller.user.is_some() && author == caller.user;
        if !is_own {
            moderates(ctx)?;
        }
        let offset = ctx.remove(message.offset)?.value();
        index::removed(ctx, message.offset)?;
        Ok(Place { offset })
    }

    /// A user may not say anything for so long. They are told.
    fn mute(&mut self, ctx: &mut Context<'_>, Mute { user, minutes }: Mute) -> Result<Muted, Refused> {
        let until = ctx.now() + minutes * MINUTE_MS;
        self.set_muted(ctx, user, until)
    }

    fn unmute(&mut self, ctx: &mut Context<'_>, Whom { user }: Whom) -> Result<Muted, Refused> {
        self.set_muted(ctx, user, 0)
    }

    fn set_muted(&mut self, ctx: &mut Context<'_>, user: String, until: u64) -> Result<Muted, Refused> {
        moderates(ctx)?;
        let id = UserId::parse(&user).ok_or_else(|| Failure::invalid("user", "is no user's id"))?;
        let now = ctx.now();
        self.muted.retain(|_, until| *until > now);
        if until > 0 && self.muted.len() >= MUTED_MAX && !self.muted.contains_key(&user) {
            return Err(Failure::with_code(ErrorCode::Overloaded, "too many users are muted").into());
        }
        people::mute(ctx, &id, until)?;
        ctx.send(Message::new("muted", &MutedUntil { until }).to_users([id]));
        match until {
            0 => self.muted.remove(&user),
            _ => self.muted.insert(user.clone(), until),
        };
        Ok(Muted { user, until })
    }

    /// Who is muted now.
    fn muted(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<Vec<Muted>, Refused> {
        moderates(ctx)?;
        people::muted(ctx)
    }

    /// Closes a user's connections, and keeps them out.
    fn block(&mut self, ctx: &mut Context<'_>, asked: Block) -> Result<(), Refused> {
        moderates(ctx)?;
        let Block { user, minutes, reason } = asked;
        let user = UserId::parse(&user).ok_or_else(|| Failure::invalid("user", "is no user's id"))?;
        ctx.disconnect(Who::User(user), reason.as_deref(), Some(minutes * MINUTE_MS));
        Ok(())
    }

    /// Lets who is blocked come in again.
    fn unblock(&mut self, ctx: &mut Context<'_>, Whom { user }: Whom) -> Result<(), Refused> {
        moderates(ctx)?;
        let user = UserId::parse(&user).ok_or_else(|| Failure::invalid("user", "is no user's id"))?;
        // Who is here is not blocked, and stays.
        if !ctx.members().iter().any(|member| member.user == user) {
            ctx.disconnect(Who::User(user), None, Some(0));
        }
        Ok(())
    }

    /// From now on each user may say something so often; 0 ends it.
    fn slow_mode(
        &mut self,
        ctx: &mut Context<'_>,
        SlowMode { seconds }: SlowMode,
    ) -> Result<Policy, Refused> {
        moderates(ctx)?;
        self.policy = Policy { slow_ms: seconds * 1_000 };
        // What is shared may be written by whom the token lets; what counts is what is stored.
        ctx.put(POLICY, &self.policy);
        ctx.share(POLICY, &self.policy);
        Ok(self.policy)
    }
}

/// What is edited is a message still, in its thread; the notice of it says what it says now.
fn judge_edit(ctx: &mut Context<'_>, amending: &Amending<'_>, before: &Publication) -> Result<(), Refused> {
    let Some(said) = amending.data::<Said>()? else { return Ok(()) };
    well_formed(&said)?;
    if index::thread_of(before) != said.thread {
        return Err(ChatError::Malformed { path: "thread".into() }.into());
    }
    if let Some(notice) = index::notice_of(ctx, before.offset) {
        let by = before.from.as_ref().map(|author| &author.user);
        ctx.edit(notice.offset, &notice_of(by, &said))?;
    }
    Ok(())
}

fn notice_of(by: Option<&UserId>, said: &Said) -> Mention {
    let by = by.map_or_else(String::new, |user| user.as_str().to_owned());
    Mention { by, text: excerpt(&said.text), id: said.id.clone(), thread: said.thread }
}

fn well_formed(said: &Said) -> Result<(), ChatError> {
    said.validate().map_err(|report| {
        let path = report.iter().next().map(|(path, _)| path.to_string()).unwrap_or_default();
        ChatError::Malformed { path }
    })
}

/// The user who calls.
fn caller(ctx: &Context<'_>) -> Result<UserId, Refused> {
    let user = ctx.caller().user.clone();
    user.ok_or_else(|| Failure::with_code(ErrorCode::Forbidden, "only a user has read something").into())
}

fn moderates(ctx: &Context<'_>) -> Result<(), ChatError> {
    let caller = ctx.caller();
    if caller.is_service() || caller.capabilities.has(Capability::Moderate) {
        return Ok(());
    }
    Err(ChatError::NotAModerator)
}

/// So many characters of a message stand in the notice of it.
const EXCERPT_CHARS: usize = 200;

fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
