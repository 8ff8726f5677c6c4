//! The real software: each stack's demonstration, to its end.

use super::{Context, Tally};
use crate::cli::{FipArgs, Plat, RunArgs, Runtime};
use crate::stacks::{Mode, Stack};
use crate::{apt, run};
use anyhow::Result;

/// What is run: the stack and the number of cores. To add a run, add a line;
/// the first is the one that every run of the tests has time for.
#[rustfmt::skip]
const RUNS: &[(Stack, u32)] = &[
    (Stack::OpteeLinux, 4),
    (Stack::OpteeLinux, 8),
    (Stack::OpteeUboot, 4),
    (Stack::OpteeXtest, 4),
    (Stack::OpteePkvm, 4),
    (Stack::OpteeXen, 4),
];

/// Runs the stacks; without `all`, only the first.
///
/// # Errors
/// A stack cannot be built or downloaded.
pub fn run(context: &Context, all: bool) -> Result<Tally> {
    let mut tally = Tally::default();
    let runtimes: &[Runtime] = if context.args.compare {
        &[Runtime::C, Runtime::Janus]
    } else {
        &[context.args.bl31]
    };
    let mut table = Vec::new();
    let usual = &RUNS[..1];
    for (stack, smp) in if all { RUNS } else { usual } {
        let name = format!("stack/{}", stack.name());
        let there = context.args.plat != Some(Plat::Fvp) || *stack == Stack::OpteeLinux;
        if !context.wants(&name) || !there {
            continue;
        }
        let mut row = vec![format!("{}, {smp} cores", stack.name())];
        for runtime in runtimes {
            let args = RunArgs {
                fip: FipArgs {
                    build: crate::cli::BuildArgs {
                        bl31: *runtime,
                        ..context.build()
                    },
                    stack: *stack,
                    ..FipArgs::default()
                },
                qemu: context.args.qemu.clone(),
                smp: *smp,
                // The architecture's algorithm for pointer authentication is slow to emulate.
                cpu: match context.args.plat {
                    Some(Plat::Fvp) => "max,pauth-impdef=on".into(),
                    _ => "max".into(),
                },
                ..RunArgs::default()
            };
            let result = run::check(
                &args,
                Mode::Test {
                    full: context.args.full,
                },
                false,
            );
            let wanted = context.args.strict || !context.filter.is_empty();
            if let Err(error) = &result
                && !wanted
                && let Some(gone) = apt::not_available(error)
            {
                // What Debian's archive has today is no fault of what is tested.
                eprintln!("SKIP  {name} ({smp} cores): not available: {gone}");
                row.push("skip".to_owned());
                tally.skipped += 1;
                break;
            }
            row.push(if result.is_ok() {
                "pass".to_owned()
            } else {
                "FAIL".to_owned()
            });
            let counted = !context.args.compare || *runtime == Runtime::Janus;
            match (counted, result) {
                (true, result) => tally.case(
                    &format!("{name} ({smp} cores, {})", runtime.name()),
                    result.map(drop),
                ),
                (false, Err(error)) => eprintln!("      {name} over the C BL31: {error:#}"),
                (false, Ok(_)) => {}
            }
        }
        table.push(row);
    }
    if context.args.compare {
        println!("{:<24} {:<6} {:<6}", "stack", "C", "Janus");
        for row in table {
            let janus = row.get(2).map_or("", String::as_str);
            println!("{:<24} {:<6} {janus:<6}", row[0], row[1]);
        }
    }
    Ok(tally)
}
