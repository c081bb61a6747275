//! Values, errors, state, presence, messages.

use garde::Validate;
use room_core::behavior::{Context, ErrorCode, Failure, Interface, Message, UserId, Who};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{COUNT, Fixture};

pub(crate) fn describe(interface: &mut Interface<Fixture>) {
    interface.method("echo", Fixture::echo);
    interface.method("who", Fixture::who);
    interface.method("add", Fixture::add);
    interface.method("remember", Fixture::remember);
    interface.method("inputs", Fixture::inputs);
    interface.method("share", Fixture::share);
    interface.method("mark", Fixture::mark);
    interface.method("tag", Fixture::tag);
    interface.method("tell", Fixture::tell);
    interface.method("kick", Fixture::kick);
    interface.method("overflow", Fixture::overflow);
    interface.service("close", Fixture::close);
    interface.state::<String>("topic");
    interface.presence::<String>();
}

#[derive(Debug, Deserialize, Validate, TS)]
#[serde(deny_unknown_fields)]
pub struct Echo {
    #[garde(length(min = 1, max = 20))]
    text: String,
    #[serde(default = "once")]
    #[garde(range(min = 1, max = 3))]
    times: u32,
    #[serde(default)]
    #[garde(dive)]
    within: Vec<Inner>,
}

#[derive(Debug, Deserialize, Validate, TS)]
#[serde(deny_unknown_fields)]
pub struct Inner {
    #[garde(range(max = 9))]
    digit: u32,
}

fn once() -> u32 {
    1
}

#[derive(Debug, Serialize, Deserialize, TS)]
pub struct Whoever {
    user: Option<String>,
    session: Option<String>,
    connected: bool,
    service: bool,
}

#[derive(Debug, Deserialize, Validate, TS)]
pub struct Add {
    #[garde(range(min = 1))]
    by: u32,
}

/// Why [`Fixture::add`] did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, TS)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum AddError {
    #[error("the counter ends at {max}, and would be {would_be}")]
    TooHigh { max: u32, would_be: u32 },
}

#[derive(Debug, Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
pub struct Text {
    text: String,
}

#[derive(Debug, Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
#[serde(default)]
#[derive(Default)]
pub struct Tell {
    text: String,
    tags: Vec<String>,
    users: Vec<String>,
    but_me: bool,
    ephemeral: bool,
}

#[derive(Debug, Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
#[serde(default)]
#[derive(Default)]
pub struct Tags {
    add: Vec<String>,
    remove: Vec<String>,
}

const COUNT_MAX: u32 = 10;

impl Fixture {
    fn echo(&mut self, _: &mut Context<'_>, echo: Echo) -> Result<String, Failure> {
        let digits: String = echo.within.iter().map(|inner| inner.digit.to_string()).collect();
        Ok(echo.text.repeat(echo.times as usize) + &digits)
    }

    fn who(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<Whoever, Failure> {
        let caller = ctx.caller();
        Ok(Whoever {
            user: caller.user.as_ref().map(ToString::to_string),
            session: caller.session.as_ref().map(|session| session.as_str().to_owned()),
            connected: caller.connection.is_some(),
            service: caller.is_service(),
        })
    }

    /// Counts, publishes that it did, and fails at the end where it counted too far: nothing of it is kept then.
    pub fn add(&mut self, ctx: &mut Context<'_>, Add { by }: Add) -> Result<u32, AddError> {
        let would_be = ctx.get::<u32>(COUNT).unwrap_or_default().saturating_add(by);
        ctx.put(COUNT, &would_be);
        ctx.share(COUNT, &would_be);
        ctx.publish(Message::new("counted", &would_be));
        if would_be > COUNT_MAX {
            return Err(AddError::TooHigh { max: COUNT_MAX, would_be });
        }
        self.count = would_be;
        Ok(would_be)
    }

    fn remember(&mut self, _: &mut Context<'_>, (): ()) -> Result<u32, Failure> {
        self.remembered += 1;
        Ok(self.remembered)
    }

    fn inputs(&mut self, _: &mut Context<'_>, (): ()) -> Result<u32, Failure> {
        Ok(self.inputs)
    }

    fn share(&mut self, ctx: &mut Context<'_>, Text { text }: Text) -> Result<(), Failure> {
        match text.as_str() {
            "" => ctx.unshare("topic"),
            topic => ctx.share("topic", &topic),
        }
        Ok(())
    }

    fn mark(&mut self, ctx: &mut Context<'_>, Text { text }: Text) -> Result<(), Failure> {
        let (user, session) = here(ctx)?;
        ctx.set_presence(&user, &session, &text);
        Ok(())
    }

    fn tag(&mut self, ctx: &mut Context<'_>, Tags { add, remove }: Tags) -> Result<(), Failure> {
        let (user, session) = here(ctx)?;
        let add: Vec<&str> = add.iter().map(String::as_str).collect();
        let remove: Vec<&str> = remove.iter().map(String::as_str).collect();
        ctx.tag(&user, &session, &add, &remove);
        Ok(())
    }

    /// Publishes, or sends, in the caller's name.
    fn tell(&mut self, ctx: &mut Context<'_>, tell: Tell) -> Result<(), Failure> {
        let mut message = Message::new("told", &tell.text).tags(tell.tags);
        if !tell.users.is_empty() {
            message = message.to_users(tell.users.iter().filter_map(|user| UserId::parse(user)));
        }
        if let Some(author) = ctx.caller().author() {
            message = message.from(author);
        }
        if let Some(user) = ctx.caller().user.clone().filter(|_| tell.but_me) {
            message = message.but_user(&user);
        }
        match tell.ephemeral {
            true => ctx.send(message),
            false => drop(ctx.publish(message)),
        }
        Ok(())
    }

    fn kick(&mut self, ctx: &mut Context<'_>, Text { text: user }: Text) -> Result<(), Failure> {
        let user = UserId::parse(&user).ok_or_else(|| Failure::invalid("text", "is no user"))?;
        ctx.disconnect(Who::User(user), Some("enough"), None);
        Ok(())
    }

    /// Stores more than fits, behind something that does.
    fn overflow(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<(), Failure> {
        ctx.put("fits", &1);
        ctx.put("does not fit", &"x".repeat(room_core::behavior::VALUE_BYTES_MAX + 1));
        Ok(())
    }

    fn close(&mut self, ctx: &mut Context<'_>, Text { text }: Text) -> Result<u32, Failure> {
        ctx.publish(Message::new("closed", &text));
        Ok(std::mem::take(&mut self.count))
    }
}

fn here(ctx: &Context<'_>) -> Result<(UserId, room_core::behavior::PublicSession), Failure> {
    let caller = ctx.caller();
    let member = caller.user.clone().zip(caller.session.clone());
    member.ok_or_else(|| Failure::with_code(ErrorCode::Forbidden, "is for who is here"))
}
