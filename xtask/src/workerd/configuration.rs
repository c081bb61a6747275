//! `wrangler.toml` in workerd's own language.

use super::{Neighbour, Options};
use crate::capnp::{Binding, Config, Module, Object, Service, Socket, Worker};
use crate::secrets::Secrets;
use crate::wrangler::Wrangler;
use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The worker that serves `build/demo` at `/`.
const DEMO_WORKER: &str = include_str!("../../assets/demo.js");
/// The worker behind [`Options::control`].
const CONTROL_WORKER: &str = include_str!("../../assets/control.js");

/// Where workerd reads it.
pub(super) fn path(data: &Path) -> PathBuf {
    data.join("run/config.capnp")
}

/// Writes it, with copies of all that it names.
pub(super) fn write(options: &Options, data: &Path, secrets: &Secrets) -> Result<()> {
    let mut wrangler = Wrangler::read(&options.config)?;
    wrangler.add_load_kind()?;
    wrangler.unbound_callers();
    let run = data.join("run");
    for file in ["index.js", "index_bg.wasm"] {
        let from = options.build.join("worker").join(file);
        // A copy: a build that runs meanwhile must not change what a restart serves.
        std::fs::copy(&from, run.join(file))
            .with_context(|| format!("no built gateway at {}: run `cargo xtask build`", from.display()))?;
    }
    let mut config = Config {
        services: vec![
            Service::Worker(gateway(&wrangler, secrets)),
            Service::Disk { name: "objects".into(), path: path_text(&data.join("objects"))?, writable: true },
        ],
        sockets: vec![socket("http", options.port, "gateway")],
    };
    let demo = options.build.join("demo");
    if options.demo && demo.is_dir() {
        std::fs::write(run.join("demo.js"), DEMO_WORKER).context("cannot write demo.js")?;
        add_demo(&mut config, path_text(&demo)?, &wrangler.compatibility_date);
    }
    if says("ROOMCAST_WEBHOOKS", "allow_private", secrets) || says("ROOMCAST_KEYS", "allow_http", secrets) {
        add_private_network(&mut config);
    }
    if options.control {
        std::fs::write(run.join("control.js"), CONTROL_WORKER).context("cannot write control.js")?;
        add_control(&mut config, &wrangler);
    }
    for neighbour in &options.neighbours {
        add_neighbour(&mut config, neighbour, &wrangler.name, &run, secrets)?;
    }
    let path = path(data);
    std::fs::write(&path, config.render()).with_context(|| format!("cannot write {}", path.display()))
}

fn gateway(wrangler: &Wrangler, secrets: &Secrets) -> Worker {
    let mut bindings = vec![("ROOMCAST_DEV".to_owned(), Binding::Text("1".into()))];
    for (name, value) in &wrangler.vars {
        let binding = match value {
            Value::String(text) => Binding::Text(text.clone()),
            other => Binding::Json(other.to_string()),
        };
        bindings.push((name.clone(), binding));
    }
    for name in secrets.keys() {
        bindings.push((name.clone(), Binding::FromEnvironment(name.clone())));
    }
    for object in &wrangler.durable_objects.bindings {
        let class = object.class_name.clone();
        bindings.push((object.name.clone(), Binding::Objects { class, service: None }));
    }
    let classes = wrangler.classes();
    let object = |class: &&str| Object {
        class: (*class).to_owned(),
        unique_key: format!("{}-{class}", wrangler.name),
    };
    Worker {
        name: "gateway".into(),
        modules: vec![
            Module::JavaScript { name: "index.js".into(), file: "index.js".into() },
            Module::Wasm { name: "index_bg.wasm".into(), file: "index_bg.wasm".into() },
        ],
        compatibility_date: wrangler.compatibility_date.clone(),
        compatibility_flags: wrangler.compatibility_flags.clone(),
        bindings,
        objects: classes.iter().map(object).collect(),
        storage: Some("objects".into()),
    }
}

fn add_demo(config: &mut Config, path: String, date: &str) {
    let worker = Worker {
        name: "demo".into(),
        modules: vec![Module::JavaScript { name: "demo.js".into(), file: "demo.js".into() }],
        compatibility_date: date.into(),
        bindings: vec![("FILES".into(), Binding::Service("demo-files".into()))],
        ..Worker::default()
    };
    config.services.push(Service::Worker(worker));
    config.services.push(Service::Disk { name: "demo-files".into(), path, writable: false });
    bind_to_gateway(config, "DEMO", "demo");
}

/// Whether an entry of this list sets this flag: an endpoint or an issuer that may be in a private network. What is
/// wrong with the list, the gateway says.
fn says(list: &str, flag: &str, secrets: &Secrets) -> bool {
    let entries = secrets.get(list).and_then(|text| serde_json::from_str::<Value>(text).ok());
    entries.is_some_and(|entries| entries.as_array().into_iter().flatten().any(|entry| entry[flag] == true))
}

/// For endpoints and issuers that say so. All else is fetched from workerd's own network, which knows public addresses
/// only, whatever a name resolves to.
fn add_private_network(config: &mut Config) {
    let allow = ["public", "private"].map(str::to_owned).into();
    config.services.push(Service::Network { name: "private-network".into(), allow });
    bind_to_gateway(config, "PRIVATE_NETWORK", "private-network");
}

fn bind_to_gateway(config: &mut Config, name: &str, service: &str) {
    for found in &mut config.services {
        if let Service::Worker(worker) = found
            && worker.name == "gateway"
        {
            worker.bindings.push((name.to_owned(), Binding::Service(service.to_owned())));
        }
    }
}

fn add_control(config: &mut Config, wrangler: &Wrangler) {
    let objects = wrangler.classes().into_iter().map(|class| {
        let binding = Binding::Objects { class: class.into(), service: Some("gateway".into()) };
        (class.to_owned(), binding)
    });
    config.services.push(Service::Worker(Worker {
        name: "control".into(),
        modules: vec![Module::JavaScript { name: "control.js".into(), file: "control.js".into() }],
        compatibility_date: wrangler.compatibility_date.clone(),
        compatibility_flags: vec!["unsafe_module".into()],
        bindings: objects.collect(),
        ..Worker::default()
    }));
    config.sockets.push(socket("control", 0, "control"));
}

/// A Worker with what its own `wrangler.toml` binds of `gateway`, and the API key.
fn add_neighbour(
    config: &mut Config,
    neighbour: &Neighbour,
    gateway: &str,
    run: &Path,
    secrets: &Secrets,
) -> Result<()> {
    let Neighbour { name, worker, config: file } = neighbour;
    let wrangler = Wrangler::read_as_is(file)?;
    let is_ours = |script: &str| {
        ensure!(script == gateway, "{}: no Worker is called {script:?}, ours is {gateway:?}", file.display());
        Ok(())
    };
    let mut bindings = Vec::new();
    for object in &wrangler.durable_objects.bindings {
        is_ours(object.script_name.as_deref().unwrap_or_default())?;
        let (class, service) = (object.class_name.clone(), Some("gateway".to_owned()));
        bindings.push((object.name.clone(), Binding::Objects { class, service }));
    }
    for service in &wrangler.services {
        is_ours(&service.service)?;
        bindings.push((service.binding.clone(), Binding::Service("gateway".into())));
    }
    if secrets.contains_key(API_KEY) {
        bindings.push((API_KEY.to_owned(), Binding::FromEnvironment(API_KEY.into())));
    }
    let mut modules = Vec::new();
    for part in ["index.js", "index_bg.wasm"].into_iter().filter(|part| worker.join(part).is_file()) {
        let file = format!("{name}-{part}");
        std::fs::copy(worker.join(part), run.join(&file)).with_context(|| format!("cannot copy {file}"))?;
        modules.push(match part {
            "index.js" => Module::JavaScript { name: part.into(), file },
            part => Module::Wasm { name: part.into(), file },
        });
    }
    ensure!(!modules.is_empty(), "there is no index.js in {}", worker.display());
    config.services.push(Service::Worker(Worker {
        name: name.clone(),
        modules,
        compatibility_date: wrangler.compatibility_date,
        compatibility_flags: wrangler.compatibility_flags,
        bindings,
        ..Worker::default()
    }));
    config.sockets.push(socket(name, 0, name));
    Ok(())
}

/// What neighbours show the gateway's HTTP API.
const API_KEY: &str = "ROOMCAST_API_KEY";

fn socket(name: &str, port: u16, service: &str) -> Socket {
    Socket { name: name.into(), address: format!("127.0.0.1:{port}"), service: service.into() }
}

fn path_text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| anyhow!("{} is not UTF-8", path.display()))
}
