//! Nothing is compiled twice: after everything has been built, a second build compiles nothing.
//!
//! Everybody who works on Janus waits for this at every `run` and `test`. So builds with different flags or features
//! must not throw away each other's results.

use super::{Context, Tally};
use crate::bench::measure;
use crate::cli::Plat;
use crate::stacks::test;
use crate::{bl31, toolchain};
use anyhow::{Result, ensure};
use std::fs;
use std::path::PathBuf;

/// The name of the case.
const CASE: &str = "build/nothing-twice";

/// A build: its name for the person, the function that does it, and the log of cargo's output.
type Build<'a> = (&'a str, &'a dyn Fn() -> Result<()>, PathBuf);

/// Builds everything of ours twice, and checks that the second time compiles nothing.
pub fn run(context: &Context) -> Tally {
    let mut tally = Tally::default();
    if context.wants(CASE) {
        tally.case(CASE, twice(context));
    }
    tally
}

fn twice(context: &Context) -> Result<()> {
    let args = context.build();
    let payload = |bin| toolchain::log("janus-test-payload", bin);
    let bench = |bin| toolchain::log("janus-bench-payload", bin);
    let image = toolchain::log("janus-bl31", "bl31");
    let builds: [Build; 7] = [
        ("image", &|| bl31::elf(&args).map(drop), image.clone()),
        (
            "SPMC",
            &|| test::payload(args.plat, "spmc").map(drop),
            payload("spmc"),
        ),
        (
            "image with the feature greeter",
            &|| bl31::with_feature(&args, "greeter").map(drop),
            image,
        ),
        (
            "hypervisor",
            &|| test::payload(args.plat, "hypervisor").map(drop),
            payload("hypervisor"),
        ),
        (
            "bench, normal world",
            &|| measure::payload(Plat::Qemu, "bench-normal").map(drop),
            bench("bench-normal"),
        ),
        (
            "bench, SPMC",
            &|| measure::payload(Plat::Qemu, "bench-spmc").map(drop),
            bench("bench-spmc"),
        ),
        (
            "bench, plugin",
            &|| measure::plugin().map(drop),
            measure::plugin_log(),
        ),
    ];
    for (_, build, _) in &builds {
        build()?;
    }
    for (name, build, log) in &builds {
        build()?;
        let text = fs::read_to_string(log)?;
        let compiled = compiled(&text);
        ensure!(
            compiled.is_empty(),
            "{name}: a second build compiles {}: does another build use the same target directory with other flags? (log: {})",
            compiled.join(", "),
            log.display()
        );
    }
    Ok(())
}

/// The packages that cargo compiled, by its log.
fn compiled(log: &str) -> Vec<&str> {
    let lines = log.lines();
    lines
        .filter_map(|line| line.trim().strip_prefix("Compiling "))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{paths, proc};
    use std::process::Command;

    /// What `package` and its dependencies link, by cargo: name, version and, of ours, the folder.
    fn linked_by(package: &str) -> Vec<String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut tree = Command::new(cargo);
        tree.current_dir(paths::root()).args([
            "tree",
            "--offline",
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--no-dedupe",
        ]);
        let tree = proc::output(&mut tree).expect("cargo's tree");
        let mut crates: Vec<String> = tree.lines().map(str::to_owned).collect();
        crates.sort_unstable();
        crates.dedup();
        crates
    }

    /// Whoever changes the dispatcher waits for the image, not for xtask too. What needs the dispatcher's library is a
    /// program of its own.
    #[test]
    fn xtask_links_little_of_the_firmware() {
        let crates = linked_by("xtask");
        let ours: Vec<&str> = crates
            .iter()
            .filter_map(|line| line.split(' ').next())
            .filter(|name| name.starts_with("janus-"))
            .collect();
        assert_eq!(ours, ["janus-arm", "janus-manifest", "janus-trace-format"]);
    }

    /// arm-gic takes its registers from our crate, not from the one of the same name on crates.io, whose definitions
    /// took half of the time of building the image. Cargo only warns when a patch is not used any more.
    #[test]
    fn arm_gic_has_our_registers() {
        let crates = linked_by("janus-drivers");
        let registers: Vec<&String> = crates
            .iter()
            .filter(|line| line.starts_with("arm-sysregs"))
            .collect();
        let [ours] = registers[..] else {
            panic!(
                "several: {registers:?}: is drivers/arm-sysregs of the version that arm-gic wants?"
            );
        };
        assert!(ours.contains("drivers/arm-sysregs"), "{ours}");
    }

    #[test]
    fn cargo_output() {
        let log = "   Compiling a v1.0.0\n   Compiling b v2.0.0 (/b)\n    Finished `release`\n";
        assert_eq!(compiled(log), ["a v1.0.0", "b v2.0.0 (/b)"]);
        assert!(compiled("    Finished `release` profile\n").is_empty());
    }
}
