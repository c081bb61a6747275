//! `cargo xtask sim`: simulated worlds in a release build.

use crate::process::cargo;
use anyhow::{Context as _, Result};
use std::process::ExitCode;

#[derive(Debug, Default)]
pub struct Sim {
    pub hours: Option<f64>,
    pub worlds: Option<u64>,
    pub seed: Option<u64>,
    pub steps: Option<u32>,
    pub json: bool,
}

/// Runs to the end with the output shown as it comes. A broken promise is the simulation's to name; here it is the exit
/// code.
pub fn run(sim: &Sim) -> Result<ExitCode> {
    let mut simulation = cargo();
    simulation.args(["run", "--quiet", "--release", "--package", "simulation", "--bin", "sim", "--"]);
    let mut number = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            simulation.args([name, &value]);
        }
    };
    number("--hours", sim.hours.map(|value| value.to_string()));
    number("--worlds", sim.worlds.map(|value| value.to_string()));
    number("--seed", sim.seed.map(|value| value.to_string()));
    number("--steps", sim.steps.map(|value| value.to_string()));
    if sim.json {
        simulation.arg("--json");
    }
    let status = simulation.status().context("cannot start the simulation")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
