//! The TypeScript of a behavior, from its Rust types to `room.call`: `tsc` accepts what the room would, and refuses what
//! it would refuse.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use garde::Validate;
use room_core::behavior::{Behavior, Behaviors, Context, Failure, Interface, Next, Stream};
use serde::{Deserialize, Serialize};
use tests::server::repository;
use tokio::process::Command;
use ts_rs::TS;
use xtask::codegen;
use xtask::project::{Project, Types};

struct Dice;

/// What `roll` takes.
#[derive(Deserialize, Validate, TS)]
#[serde(deny_unknown_fields)]
struct Roll {
    #[garde(range(min = 2, max = 100))]
    sides: u32,
    #[serde(default)]
    #[garde(inner(range(max = 10)))]
    #[ts(optional)]
    times: Option<u32>,
}

#[derive(Deserialize, Validate, TS)]
struct Least {
    #[garde(skip)]
    least: u32,
}

#[derive(Serialize, TS)]
struct Rolled {
    total: u32,
}

#[derive(Debug, Serialize, TS, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum RollError {
    #[error("at most {most} dice")]
    TooMany { most: u32 },
}

#[derive(Serialize, TS)]
struct Player {
    name: String,
}

impl Behavior for Dice {
    const NAME: &'static str = "dice";

    fn describe(interface: &mut Interface<Self>) {
        interface.method("roll", Self::roll);
        interface.method("forget", Self::forget);
        interface.service("close", Self::forget);
        interface.stream("rolls", Self::rolls);
        interface.event::<Rolled>("rolled");
        interface.state::<u32>("best");
        interface.presence::<Player>();
    }

    fn started(_: &mut Context<'_>) -> Result<Self, Failure> {
        Ok(Dice)
    }
}

impl Dice {
    fn roll(&mut self, ctx: &mut Context<'_>, Roll { sides, times }: Roll) -> Result<Rolled, RollError> {
        let most = 10;
        let times = times.unwrap_or(1);
        if times > most {
            return Err(RollError::TooMany { most });
        }
        let total = (0..times).map(|_| 1 + (ctx.random() % u64::from(sides)) as u32).sum();
        Ok(Rolled { total })
    }

    fn forget(&mut self, _: &mut Context<'_>, (): ()) -> Result<(), Failure> {
        Ok(())
    }

    fn rolls(
        &mut self,
        _: &mut Context<'_>,
        Least { least }: Least,
    ) -> Result<Stream<Dice, Rolled>, Failure> {
        Ok(Stream::new(
            move |_: &mut Dice, _: &mut Context<'_>| {
                if least == 0 { Next::Done } else { Next::Item(Rolled { total: least }) }
            },
        ))
    }
}

fn dice() -> Behaviors {
    Behaviors::new().with::<Dice>()
}

/// A project with the types of `dice`, and one of the scripts of `tests/types`.
fn project(script: &str) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let types = Types { folder: "generated", of: &["dice"] };
    codegen::write(&Project::new(&folder, "none", "none", dice).types(types))?;
    std::os::unix::fs::symlink(repository().join("node_modules"), folder.path().join("node_modules"))?;
    std::fs::copy(types_folder().join(script), folder.path().join(script))?;
    std::fs::write(folder.path().join("package.json"), r#"{"type":"module"}"#)?;
    Ok(folder)
}

fn types_folder() -> PathBuf {
    repository().join("tests/types")
}

/// Each mistake that `tsc` finds in the script, with its line.
async fn mistakes(script: &str) -> Result<Vec<(usize, String)>> {
    let folder = project(script)?;
    let mut tsc = Command::new("node");
    tsc.arg(repository().join("node_modules/typescript/bin/tsc")).current_dir(&folder);
    tsc.args(["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--types", ""]);
    tsc.args(["--module", "nodenext", "--pretty", "false", script]);
    let output = tsc.output().await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found: Vec<(usize, String)> = text.lines().filter_map(|line| mistake(script, line)).collect();
    ensure!(output.status.success() == found.is_empty(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    Ok(found)
}

/// `wrong.ts(7,20): error TS2345: …`
fn mistake(script: &str, line: &str) -> Option<(usize, String)> {
    let (place, said) = line.strip_prefix(script)?.strip_prefix('(')?.split_once("): error ")?;
    Some((place.split(',').next()?.parse().ok()?, said.to_owned()))
}

#[tokio::test]
async fn right_calls_are_accepted_and_each_expected_mistake_is_one() -> Result<()> {
    let found = mistakes("right.ts").await?;
    ensure!(found.is_empty(), "{found:?}");
    Ok(())
}

#[tokio::test]
async fn a_wrong_method_or_argument_fails_the_compiler() -> Result<()> {
    let script = std::fs::read_to_string(types_folder().join("wrong.ts"))?;
    let lines = script.lines().enumerate();
    let marked: Vec<usize> =
        lines.filter(|(_, line)| line.ends_with("// wrong")).map(|(at, _)| at + 1).collect();
    let found = mistakes("wrong.ts").await?;
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, marked, "{found:?}");
    assert!(found[0].1.contains("rol"), "{found:?}");
    Ok(())
}

#[test]
fn what_is_written_of_a_behavior_is_checked() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let of =
        |names| Project::new(&folder, "none", "none", dice).types(Types { folder: "generated", of: names });
    let refused = |project: &Project| codegen::check(project).map_err(|error| format!("{error:#}")).err();
    assert!(refused(&of(&[])).is_some_and(|error| error.contains("cannot read")));
    codegen::write(&of(&[]))?;
    codegen::check(&of(&[]))?;
    let file: &Path = &folder.path().join("generated/dice.ts");
    std::fs::write(file, std::fs::read_to_string(file)?.replace("total: number", "total: string"))?;
    let error = refused(&of(&[])).unwrap_or_default();
    assert!(error.contains("dice.ts differs from the Rust types at line"), "{error}");
    let error = refused(&of(&["cards"])).unwrap_or_default();
    assert!(error.contains("no behavior is registered as \"cards\""), "{error}");
    Ok(())
}

/// A behavior with publications of two types.
struct Told<A, B>(PhantomData<(A, B)>);

impl<A: TS + 'static, B: TS + 'static> Behavior for Told<A, B> {
    const NAME: &'static str = "told";

    fn describe(interface: &mut Interface<Self>) {
        interface.event::<A>("first");
        interface.event::<B>("second");
    }

    fn started(_: &mut Context<'_>) -> Result<Self, Failure> {
        Ok(Told(PhantomData))
    }
}

mod others {
    #[derive(serde::Serialize, ts_rs::TS)]
    pub(super) struct Rolled {
        pub(super) sum: u32,
    }
    #[derive(serde::Serialize, ts_rs::TS)]
    pub(super) struct Told {
        pub(super) total: u32,
    }
}

#[test]
fn a_type_is_declared_once() {
    let written = Interface::<Told<Rolled, Rolled>>::of_behavior().typescript();
    assert_eq!(written.matches("export type Rolled").count(), 1, "{written}");
}

#[test]
#[should_panic(expected = "two types are called Rolled")]
fn two_types_of_one_name_are_refused() {
    drop(Interface::<Told<Rolled, others::Rolled>>::of_behavior().typescript());
}

#[test]
#[should_panic(expected = "told: a type is called Told, as the interface is")]
fn a_type_with_the_interfaces_name_is_refused() {
    drop(Interface::<Told<Rolled, others::Told>>::of_behavior().typescript());
}
