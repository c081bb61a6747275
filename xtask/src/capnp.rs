//! workerd's own configuration language, as far as it is needed here.

use std::fmt::Write as _;

/// What is written into one workerd configuration.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub services: Vec<Service>,
    pub sockets: Vec<Socket>,
}

#[derive(Clone, Debug)]
pub struct Socket {
    pub name: String,
    pub address: String,
    pub service: String,
}

#[derive(Clone, Debug)]
pub enum Service {
    Worker(Worker),
    Disk {
        name: String,
        path: String,
        writable: bool,
    },
    /// What may be connected to: `public`, `private`.
    Network {
        name: String,
        allow: Vec<String>,
    },
}

#[derive(Clone, Debug, Default)]
pub struct Worker {
    pub name: String,
    pub modules: Vec<Module>,
    pub compatibility_date: String,
    pub compatibility_flags: Vec<String>,
    pub bindings: Vec<(String, Binding)>,
    pub objects: Vec<Object>,
    /// The disk service that keeps the objects.
    pub storage: Option<String>,
}

/// A module of a worker; files are named relative to the configuration's own directory.
#[derive(Clone, Debug)]
pub enum Module {
    JavaScript { name: String, file: String },
    Wasm { name: String, file: String },
}

#[derive(Clone, Debug)]
pub enum Binding {
    Json(String),
    Text(String),
    /// Read from the variable of this name in the process's environment: secrets stay out of the file.
    FromEnvironment(String),
    Service(String),
    Objects {
        class: String,
        service: Option<String>,
    },
}

#[derive(Clone, Debug)]
pub struct Object {
    pub class: String,
    /// Names the class's directory on disk: renaming it abandons the data.
    pub unique_key: String,
}

impl Config {
    /// The text of the file.
    #[must_use]
    pub fn render(&self) -> String {
        let services = list(&self.services, Service::render);
        let sockets = list(&self.sockets, |socket| {
            let (name, address) = (quote(&socket.name), quote(&socket.address));
            format!("(name = {name}, address = {address}, http = (), service = {})", quote(&socket.service))
        });
        format!(
            "using Workerd = import \"/workerd/workerd.capnp\";\n\n\
             const config :Workerd.Config = (services = {services}, sockets = {sockets});\n"
        )
    }
}

impl Service {
    fn render(&self) -> String {
        match self {
            Service::Worker(worker) => worker.render(),
            Service::Disk { name, path, writable } => {
                format!("(name = {}, disk = (path = {}, writable = {writable}))", quote(name), quote(path))
            }
            Service::Network { name, allow } => {
                let (name, allow) = (quote(name), list(allow, |range| quote(range)));
                format!("(name = {name}, network = (allow = {allow}, tlsOptions = (trustBrowserCas = true)))")
            }
        }
    }
}

impl Worker {
    fn render(&self) -> String {
        let mut text = format!("(name = {}, worker = (", quote(&self.name));
        let mut field = |name: &str, value: String| {
            let _infallible = writeln!(text, "\n  {name} = {value},");
        };
        field("modules", list(&self.modules, Module::render));
        field("compatibilityDate", quote(&self.compatibility_date));
        field("compatibilityFlags", list(&self.compatibility_flags, |flag| quote(flag)));
        field(
            "bindings",
            list(&self.bindings, |(name, binding)| format!("(name = {}, {})", quote(name), binding.render())),
        );
        if !self.objects.is_empty() {
            field(
                "durableObjectNamespaces",
                list(&self.objects, |object| {
                    let (class, key) = (quote(&object.class), quote(&object.unique_key));
                    format!("(className = {class}, uniqueKey = {key}, enableSql = true)")
                }),
            );
        }
        if let Some(storage) = &self.storage {
            field("durableObjectStorage", format!("(localDisk = {})", quote(storage)));
        }
        text + "))"
    }
}

impl Module {
    fn render(&self) -> String {
        match self {
            Module::JavaScript { name, file } => {
                format!("(name = {}, esModule = embed {})", quote(name), quote(file))
            }
            Module::Wasm { name, file } => format!("(name = {}, wasm = embed {})", quote(name), quote(file)),
        }
    }
}

impl Binding {
    fn render(&self) -> String {
        match self {
            Binding::Json(json) => format!("json = {}", quote(json)),
            Binding::Text(text) => format!("text = {}", quote(text)),
            Binding::FromEnvironment(variable) => format!("fromEnvironment = {}", quote(variable)),
            Binding::Service(service) => format!("service = {}", quote(service)),
            Binding::Objects { class, service: None } => {
                format!("durableObjectNamespace = {}", quote(class))
            }
            Binding::Objects { class, service: Some(service) } => {
                let (class, service) = (quote(class), quote(service));
                format!("durableObjectNamespace = (className = {class}, serviceName = {service})")
            }
        }
    }
}

fn list<T>(items: &[T], render: impl Fn(&T) -> String) -> String {
    format!("[{}]", items.iter().map(render).collect::<Vec<_>>().join(",\n    "))
}

/// A string literal. Control characters are written as bytes, all else as it is.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control.is_ascii_control() => {
                let _infallible = write!(quoted, "\\x{:02x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn quotes_backslashes_and_controls_are_escaped() {
        assert_eq!(quote("a\"b\\c\nd\u{e9}"), "\"a\\\"b\\\\c\\x0ad\u{e9}\"");
    }
}
