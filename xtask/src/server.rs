//! For a project's end-to-end tests: its Worker on a real workerd, on a data directory of its own.

use crate::secrets::DEV_API_KEY;
use crate::workerd::{Options, Workerd};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What `cargo xtask build` made of a project, served on 127.0.0.1. Dropping it ends the process and removes the data.
#[derive(Debug)]
pub struct Server {
    /// `None` after a restart that failed.
    workerd: Option<Workerd>,
    options: Options,
    agent: ureq::Agent,
    _data: TempDir,
}

/// What was answered to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status: 200 where all went well.
    pub status: u16,
    /// The result of a method, or the problem that it ended with; `null` where nothing was answered.
    pub body: Value,
}

impl Server {
    /// Starts what was built of the project in `root`, on any free port.
    ///
    /// # Errors
    /// Where nothing was built, and where the process does not come up: with the end of its log.
    pub fn start(root: impl AsRef<Path>) -> Result<Server> {
        let data = tempfile::tempdir().context("cannot make a data directory")?;
        let options =
            Options { data: data.path().to_owned(), control: true, ..Options::in_folder(root.as_ref()) };
        let workerd = Workerd::start(&options)?;
        // The port stays through restarts.
        let options = Options { port: workerd.port(), ..options };
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(ANSWER_WITHIN))
            .build();
        Ok(Server { workerd: Some(workerd), options, agent: agent.into(), _data: data })
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.options.port)
    }

    /// A token for a user: all rooms, all capabilities, for an hour.
    pub fn token(&self, user: &str) -> Result<String> {
        let asked = json!({ "sub": user, "rooms": { "*": ["*"] }, "ttl": 3600 });
        let answer = self.post("/dev/token", &asked)?;
        ensure!(answer.status == 200, "no token: {answer:?}");
        Ok(answer.body["token"].as_str().context("the answer has no token")?.to_owned())
    }

    /// Calls a method of a room as a backend does.
    pub fn call(&self, room: &str, method: &str, args: &Value) -> Result<Answer> {
        self.post(&format!("/v1/rooms/{room}/call/{method}"), args)
    }

    /// `POST` with the API key of every development server, which has every scope.
    pub fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        let mut response = self
            .agent
            .post(format!("{}{path}", self.url()))
            .header("authorization", format!("Bearer {DEV_API_KEY}"))
            .header("content-type", "application/json")
            .send(body.to_string())
            .with_context(|| format!("POST {path}"))?;
        let text = response.body_mut().read_to_string().with_context(|| format!("POST {path}"))?;
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? };
        Ok(Answer { status: response.status().as_u16(), body })
    }

    /// Kills the process and starts it again on the same data and port: what was answered before is there, and every
    /// room begins from what it stored.
    pub fn restart(&mut self) -> Result<()> {
        // Gone, and its hold on the data with it, before the next begins.
        drop(self.workerd.take());
        self.workerd = Some(Workerd::start(&self.options)?);
        Ok(())
    }
}
