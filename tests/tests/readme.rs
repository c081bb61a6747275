//! The README's commands and code, run as they stand; the TypeScript of all documents, checked.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tests::server::Server;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

const LIMIT: Duration = Duration::from_secs(60);
/// What the README calls the development server.
const ADDRESS: &str = "http://127.0.0.1:8787";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository")
}

/// The code blocks of one language.
fn blocks(language: &str) -> Result<Vec<String>> {
    let readme = std::fs::read_to_string(root().join("README.md")).context("read README.md")?;
    let fence = format!("```{language}\n");
    let blocks = readme.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned);
    Ok(blocks.collect())
}

async fn run(command: &mut Command) -> Result<String> {
    let output = tokio::time::timeout(LIMIT, command.kill_on_drop(true).output()).await??;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{command:?} ended with {}:\n{text}\n{errors}", output.status);
    Ok(text)
}

/// A directory in which `@roomcast/client` is installed.
fn project() -> Result<tempfile::TempDir> {
    let directory = tempfile::tempdir()?;
    let modules = directory.path().join("node_modules/@roomcast");
    std::fs::create_dir_all(&modules)?;
    std::os::unix::fs::symlink(root().join("client-sdk/ts"), modules.join("client"))?;
    std::os::unix::fs::symlink(root().join("node_modules/ws"), directory.path().join("node_modules/ws"))?;
    std::fs::write(directory.path().join("package.json"), r#"{"type":"module"}"#)?;
    Ok(directory)
}

/// README.md, the package's, and all in docs and examples.
fn documents() -> Result<Vec<PathBuf>> {
    let mut found = vec![root().join("README.md"), root().join("client-sdk/ts/README.md")];
    let mut folders = vec![root().join("docs"), root().join("examples")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() && !path.ends_with("node_modules") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Each fence of TypeScript as a module of its own, named for its document and line.
fn modules(document: &Path) -> Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(document)?;
    let name = document.strip_prefix(root())?.to_string_lossy().replace(['/', '.'], "-");
    let mut modules = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((line, fence)) = lines.next() {
        let Some(kind @ ("ts" | "tsx")) = fence.trim_start().strip_prefix("```") else { continue };
        let code =
            lines.by_ref().map(|(_, line)| line).take_while(|line| !line.trim_start().starts_with("```"));
        let code: Vec<&str> = code.collect();
        modules.push((format!("{name}-{}.{kind}", line + 1), code.join("\n") + "\nexport {};\n"));
    }
    Ok(modules)
}

/// What they may use without saying where it comes from stands in `snippets.d.ts`.
#[tokio::test]
async fn every_typescript_snippet_of_the_documents_is_strictly_right() -> Result<()> {
    let project = tempfile::tempdir()?;
    std::os::unix::fs::symlink(root().join("node_modules"), project.path().join("node_modules"))?;
    std::fs::write(project.path().join("package.json"), r#"{"type":"module"}"#)?;
    let prelude = include_str!("../node/snippets.d.ts");
    std::fs::write(project.path().join("snippets.d.ts"), prelude)?;
    let mut count = 0;
    for document in documents()? {
        for (name, code) in modules(&document)? {
            std::fs::write(project.path().join(name), code)?;
            count += 1;
        }
    }
    ensure!(count >= 14, "only {count} snippets were found");
    let options = json!({ "compilerOptions": {
        "strict": true, "noEmit": true, "target": "es2022", "module": "nodenext", "jsx": "react-jsx",
        "lib": ["es2022", "dom", "dom.iterable"], "types": [],
    } });
    std::fs::write(project.path().join("tsconfig.json"), options.to_string())?;
    let mut tsc = Command::new("node");
    run(tsc.arg(root().join("node_modules/typescript/bin/tsc")).current_dir(&project)).await.map(drop)
}

#[tokio::test]
async fn the_examples_are_strictly_right() -> Result<()> {
    for example in ["chat", "game", "react"] {
        let mut tsc = Command::new("node");
        tsc.arg(root().join("node_modules/typescript/bin/tsc"));
        run(tsc.arg("--project").arg(root().join("examples").join(example))).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_readmes_typescript_joins_publishes_and_hears_itself() -> Result<()> {
    let server = Server::start().await?;
    let project = project()?;
    let snippet = blocks("ts")?.join("\n");
    ensure!(snippet.contains(ADDRESS), "the README's address has changed");
    // Node 20 has no WebSocket of its own.
    let polyfill = "import WebSocket from \"ws\";\nObject.assign(globalThis, { WebSocket });\n";
    let code = format!("{polyfill}{}", snippet.replace(ADDRESS, &format!("http://{}", server.authority())));
    std::fs::write(project.path().join("snippet.ts"), code)?;
    let mut esbuild = Command::new(root().join("node_modules/.bin/esbuild"));
    esbuild.current_dir(&project).args([
        "snippet.ts",
        "--format=esm",
        "--target=node20",
        "--outfile=snippet.js",
    ]);
    run(&mut esbuild).await?;
    let mut node = Command::new("node")
        .arg("snippet.js")
        .current_dir(&project)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start node")?;
    let mut lines = BufReader::new(node.stdout.take().context("node's output is piped")?).lines();
    let heard = async {
        while let Some(line) = lines.next_line().await? {
            if line == "ada hello" {
                return Ok(());
            }
        }
        anyhow::bail!("the snippet ended without hearing itself")
    };
    tokio::time::timeout(LIMIT, heard).await.context("the snippet does not hear itself")?
}

#[tokio::test]
async fn the_readmes_curl_commands_publish_and_read() -> Result<()> {
    let server = Server::start().await?;
    let commands =
        blocks("sh")?.into_iter().find(|block| block.contains("curl")).context("no curl in the README")?;
    let commands = commands.replace(ADDRESS, &format!("http://{}", server.authority()));
    let printed = run(Command::new("sh").args(["-ec", &commands])).await?;
    ensure!(printed.contains(r#""duplicate":false"#), "the publish was not answered: {printed}");
    ensure!(printed.contains(r#"{"text": "deployed"}"#), "the message is not in the history: {printed}");
    Ok(())
}
