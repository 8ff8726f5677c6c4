//! `run --model`: a stand-in for Arm's model, which may not be passed on, checks its arguments and prints on its UARTs.
//! Whether the real model accepts them must be tried by those who have it.

use super::{Context, Tally};
use crate::cli::{FipArgs, Plat, RunArgs};
use crate::stacks::Mode;
use crate::verdict::End;
use crate::{paths, run};
use anyhow::{Context as _, Result, bail, ensure};
use regex::Regex;
use std::path::PathBuf;

const NAME: &str = "fvp/model";

/// Runs the case if it is asked for.
pub fn run(context: &Context) -> Tally {
    let mut tally = Tally::default();
    if context.wants(NAME) {
        tally.case(NAME, stand_in(context).and_then(|()| missing(context)));
    }
    tally
}

fn args(context: &Context, model: PathBuf) -> RunArgs {
    let mut build = context.build();
    build.plat = Plat::Fvp;
    RunArgs {
        fip: FipArgs {
            build,
            ..FipArgs::default()
        },
        smp: 6,
        cpu: "max".to_owned(),
        model: Some(Some(model)),
        model_arg: vec!["--own".to_owned()],
        gdb: true,
        ..RunArgs::default()
    }
}

fn stand_in(context: &Context) -> Result<()> {
    let model = paths::root().join("tests/fvp-model/FVP_Base_stand-in-AEM");
    let wanted = [
        "^stand-in: all is as it must be$",
        "^the secure world's UART$",
    ];
    let run_args = RunArgs {
        until: wanted
            .iter()
            .map(|text| Regex::new(text))
            .collect::<Result<_, _>>()?,
        fail: vec![Regex::new("^stand-in finds: ")?],
        timeout: Some(60),
        ..args(context, model)
    };
    match run::check(&run_args, Mode::Demo, false)? {
        End::Said(_) => Ok(()),
        other => bail!("the stand-in's consoles were not seen: {other:?}"),
    }
}

/// A model that does not exist: the message must say where to get one.
fn missing(context: &Context) -> Result<()> {
    let error = run::check(&args(context, "no-such-model".into()), Mode::Demo, false).err();
    let text = format!("{:#}", error.context("a model that is not there ran")?);
    for part in ["no-such-model is not there", "developer.arm.com"] {
        ensure!(text.contains(part), "no `{part}` in: {text}");
    }
    Ok(())
}
