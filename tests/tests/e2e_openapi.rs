//! The HTTP API as its OpenAPI document has it, and an independent fuzzer that holds the one against the other.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tests::http::Response;
use tests::keys;
use tests::server::{Server, repository};
use tokio::process::Command;

/// Far beyond what the fuzzer takes.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(600);
/// Cases of each operation that are generated at random, beside those that follow from the document.
const EXAMPLES: &str = "40";

#[tokio::test]
async fn r_http_10_the_document_is_served_as_it_is_committed() -> Result<()> {
    let server = Server::start().await?;
    let served = server.get("/openapi.json").send().await?;
    assert_eq!((served.status, served.header("content-type")), (200, Some("application/json")));
    let committed = std::fs::read_to_string(repository().join("docs/openapi.json"))?;
    ensure!(served.text() == committed, "the build serves another document than docs/openapi.json");
    let document = served.json()?;
    assert_eq!(document["openapi"], "3.1.0");
    ensure!(!served.text().contains("/console"), "not served yet");
    ensure!(server.databases()?.is_empty());
    Ok(())
}

#[tokio::test]
async fn r_http_10_the_page_is_whole_and_asks_nobody_else() -> Result<()> {
    let server = Server::start().await?;
    let page = server.get("/docs").send().await?;
    assert_eq!(page.status, 200, "{}", page.text());
    ensure!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page:?}");
    let policy = page.header("content-security-policy").context("a policy")?;
    ensure!(policy.contains("default-src 'none'") && policy.contains("connect-src 'self'"), "{policy}");
    let html = page.text();
    ensure!(html.contains("/openapi.json") && !html.contains("https://"), "the page asks elsewhere");
    Ok(())
}

#[tokio::test]
async fn r_http_9_a_backend_mints_tokens_of_its_tenant() -> Result<()> {
    let server = Server::start().await?;
    let ask = |key: String, body: Value| server.post("/v1/tokens").bearer(&key).json(&body).send();
    let body = json!({ "sub": "ann", "rooms": { "chat:mine": ["join"] }, "ttl": 60, "tags": ["$vip"] });
    let made = ask(keys::api_key("tokens"), body.clone()).await?.ok()?;
    let token = made["token"].as_str().context("a token")?;
    let claims = tests::tokens::part(token, 1).context("claims")?;
    assert_eq!((&claims["sub"], &claims["tenant"]), (&json!("ann"), &json!("default")));
    assert_eq!(made["expires_at"].as_u64(), claims["exp"].as_u64().map(|seconds| seconds * 1000));
    let path = "/v1/rooms/chat:mine/events";
    tests::events::Stream::open(server.get(path).bearer(token)).await?.until("position").await?;
    ask(token.to_owned(), body.clone()).await?.problem(403, "forbidden")?;
    ask("x.y.z".into(), body).await?.problem(401, "unauthorized")?;
    for (body, path) in [
        (json!({ "sub": "a", "rooms": {}, "ttl": 86_401 }), "ttl"),
        (json!({ "sub": "a", "rooms": {}, "ttl": 0 }), "ttl"),
        (json!({ "sub": "", "rooms": {}, "ttl": 1 }), "sub"),
        (json!({ "sub": "a", "rooms": { "*": ["fly"] }, "ttl": 1 }), "rooms.*"),
        (json!({ "sub": "a", "rooms": {}, "ttl": 1, "tags": [""] }), "tags"),
    ] {
        let problem = ask(server.api_key(), body.clone()).await?.problem(400, "invalid_argument")?;
        assert_eq!(problem["details"][0]["path"], path, "{body}");
    }
    Ok(())
}

fn readable_by(origin: &str, answer: &Response) -> bool {
    answer.header("access-control-allow-origin") == Some(origin)
        && answer.header("access-control-expose-headers").is_some_and(|names| names.contains("retry-after"))
}

#[tokio::test]
async fn r_http_8_every_answer_is_readable_for_allowed_pages_refusals_and_streams_among_them() -> Result<()> {
    let server = Server::with("allowed_origins = ['https://app.example']").await?;
    let origin = "https://app.example";
    let key = server.api_key();
    for path in
        ["/v1/rooms/chat:a/messages", "/v1/rooms/BAD/messages", "/v1/nothing", "/healthz", "/openapi.json"]
    {
        let answer = server.get(path).bearer(&key).header("origin", origin).send().await?;
        ensure!(readable_by(origin, &answer), "{path}: {answer:?}");
    }
    let events = server.get("/v1/rooms/chat:a/events").bearer(&key).header("origin", origin);
    let stream = tests::events::Stream::open(events).await?;
    ensure!(readable_by(origin, &stream.head), "{:?}", stream.head);
    Ok(())
}

#[tokio::test]
async fn r_http_11_who_calls_too_fast_is_told_when_to_come_back() -> Result<()> {
    let server = Server::with("rates = { user = 'off', key = [1, 3], address = 'off' }").await?;
    let path = "/v1/rooms/chat:fast/messages";
    let refused = tests::eventually("a refusal", async || {
        let answer = server.get(path).bearer(&server.api_key()).send().await?;
        Ok((answer.status != 200).then_some(answer))
    })
    .await?;
    let problem = refused.problem(429, "rate_limited")?;
    let seconds: u64 = refused.header("retry-after").context("a Retry-After")?.parse()?;
    let ms = problem["retry_after_ms"].as_u64().context("retry_after_ms")?;
    ensure!(seconds * 1000 >= ms && seconds >= 1, "{seconds} s for {ms} ms");
    Ok(())
}

/// The number of cases that the fuzzer tried, of its report.
fn cases(report: &Path) -> Result<u64> {
    let report: Value = serde_json::from_slice(&std::fs::read(report)?)?;
    let cases = &report["test_cases"];
    cases["generated"].as_u64().with_context(|| format!("no count in {cases}"))
}

#[tokio::test]
async fn r_http_10_a_fuzzer_finds_no_answer_that_the_document_does_not_name() -> Result<()> {
    let program = tokio::task::spawn_blocking(xtask::setup::schemathesis::ensure).await??;
    let server = Server::start().await?;
    let directory = tempfile::tempdir()?;
    let report = directory.path().join("report.json");
    let mut fuzzer = Command::new(program);
    fuzzer
        .current_dir(directory.path())
        .env("SCHEMATHESIS_HOOKS", repository().join("tests/schemathesis/hooks.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg("--config-file")
        .arg(repository().join("tests/schemathesis/schemathesis.toml"))
        .args(["run", &format!("http://{}/openapi.json", server.authority())])
        .args(["--header", &format!("Authorization: Bearer {}", server.api_key())])
        // An upgrade, which no HTTP client of its kind makes.
        .args(["--exclude-operation-id", "connect"])
        .args(["--max-examples", EXAMPLES, "--seed", "4", "--generation-database", "none"])
        .args(["--phases", "examples,coverage,fuzzing", "--request-timeout", "20"])
        .args(["--continue-on-failure", "--no-color", "--report", "json", "--report-json-path"])
        .arg(&report)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, fuzzer.output()).await.context("the fuzzer does not end")??;
    let told = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("schemathesis: {} cases", cases(&report)?);
    server.get("/healthz").send().await?.ok()?;
    Ok(())
}
