//! The real software: the demonstration of each stack, to its end.

use super::{Context, Tally};
use crate::cli::{FipArgs, Plat, RunArgs, Runtime};
use crate::stacks::{Mode, Stack};
use crate::{apt, run};
use anyhow::Result;

/// The runs: the stack and the number of cores. To add a run, add a line. The first one is run by every `cargo xtask
/// test`.
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
/// A stack's software cannot be built or downloaded.
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
        let on_fvp = matches!(stack, Stack::OpteeLinux | Stack::OpteeXtest);
        // The FVP's device tree has eight cores.
        let on_fvp = on_fvp && (*smp == 8 || *stack == Stack::OpteeXtest);
        let there = context.args.plat != Some(Plat::Fvp) || on_fvp;
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
            if let Some(reason) = not_available(context, &result) {
                eprintln!("SKIP  {name} ({smp} cores): not available: {reason}");
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

/// The reason for which a stack is skipped: the contents of Debian's archive today are no fault of what is tested.
/// `None`: the stack is not skipped, or the person insists on it.
fn not_available<T>(context: &Context, result: &Result<T>) -> Option<String> {
    let insists = context.args.strict || !context.filter.is_empty();
    let error = result.as_ref().err().filter(|_| !insists)?;
    apt::not_available(error).map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apt::fake::Fake;
    use crate::testing::TestArgs;
    use anyhow::{Context as _, anyhow};

    fn context(filter: &str, strict: bool) -> Context {
        Context {
            args: TestArgs {
                strict,
                ..TestArgs::default()
            },
            filter: filter.to_owned(),
        }
    }

    #[test]
    fn what_cannot_be_had_is_skipped_with_its_reason_unless_it_is_asked_for() {
        let Some(fake) = Fake::new() else { return };
        fake.suite("mirror", "sid", &[], &["2"]);
        fake.suite("mirror", "testing", &[], &[]);
        // A stack's preparation fails like this.
        let result = fake.get(&["2"]).context("the stack's guest");
        let reason = not_available(&context("", false), &result).expect("skipped");
        assert!(reason.contains("thing cannot be had today"), "{reason}");
        assert!(
            reason.contains("sid: thing 2 is in the index and cannot be fetched"),
            "{reason}"
        );
        assert_eq!(
            not_available(&context("stack/optee", false), &result),
            None,
            "by name"
        );
        assert_eq!(not_available(&context("", true), &result), None, "--strict");
    }

    #[test]
    fn what_fails_or_passes_is_not_skipped() {
        let failed: Result<()> = Err(anyhow!("UART0 does not say `login`"));
        assert_eq!(not_available(&context("", false), &failed), None);
        assert_eq!(not_available(&context("", false), &Ok(())), None);
    }
}
