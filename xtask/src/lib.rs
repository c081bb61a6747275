//! What `cargo xtask` does, as a library: of this repository, and of a team's own [`project`] that depends on it, whose
//! `main` calls [`command::run`]. The crate `tests` starts the same server that `dev` starts.
//!
//! The way from sources to a running gateway: [`setup`] finds or installs the tools, [`build`] compiles the
//! crates ([`wasm`]) and joins them with their JavaScript ([`bundle`]), [`wrangler`] reads the one
//! configuration file, [`capnp`] writes workerd's form of it, and [`workerd`] runs the process.

pub mod bench;
pub mod bench_client;
pub mod bench_game;
pub mod build;
pub mod bundle;
pub mod capnp;
pub mod client;
pub mod codegen;
pub mod command;
mod consumer;
pub mod counted;
pub mod dev;
pub mod fingerprint;
pub mod package;
pub mod page;
pub mod peers;
pub mod process;
pub mod project;
pub mod reference;
pub mod repository;
pub mod scaffold;
pub mod secrets;
pub mod server;
pub mod setup;
pub mod sim;
pub mod size;
pub mod sources;
pub mod suite;
pub mod tidy;
pub mod wasm;
pub mod watch;
pub mod workerd;
pub mod wrangler;
