//! The examples of docs/debugging.md: the test payloads make them, and the result is compared with the document.
//!
//! An example is a block ` ```trace NAME ` in the document. Each of its lines has to be in the trace, in this order.
//! The document has no times, and `…` in it stands for any text.

use super::boots::Setup;
use crate::cli::RunArgs;
use crate::console::{self, Limits};
use crate::paths;
use crate::qemu::Machine;
use crate::stacks::test;
use crate::trace::{self, record};
use anyhow::{Context as _, Result, ensure};
use std::path::PathBuf;

/// A system that stops, and its settings.
pub struct Example {
    /// Its name in the document.
    pub name: &'static str,
    /// The level that the manifest gives the SPMC.
    spmc_el: u8,
    /// The SPMC's oddities.
    oddities: &'static str,
}

/// All examples. In the trace of a silent machine the last event is the one after which it fell silent.
pub const EXAMPLES: &[Example] = &[
    Example {
        name: "wrong-level",
        spmc_el: 1,
        oddities: "needs-el2",
    },
    Example {
        name: "secondary-refused",
        spmc_el: 2,
        oddities: "boot-error-1",
    },
    Example {
        name: "retry",
        spmc_el: 2,
        oddities: "retry",
    },
    Example {
        name: "no-sri",
        spmc_el: 2,
        oddities: "",
    },
    Example {
        name: "interrupt-not-ended",
        spmc_el: 2,
        oddities: "deaf",
    },
];

/// The limits of a machine that stops, in seconds. Its trace is complete by then.
const LIMITS: Limits = Limits::secs(20, 120);

impl Example {
    /// Runs the example and compares its trace with the document.
    ///
    /// # Errors
    /// It cannot be run, or the trace differs from the document.
    pub fn check(&self, setup: &Setup) -> Result<()> {
        let document = std::fs::read_to_string(paths::root().join("docs/debugging.md"))?;
        let wanted = block(&document, self.name)
            .with_context(|| format!("docs/debugging.md has no block `trace {}`", self.name))?;
        let file = self.run(setup)?;
        let differences = trace::differences(&file)?;
        ensure!(
            differences.is_empty(),
            "the image does not do what its library says: {differences:?}"
        );
        let (lines, _) = trace::lines(&[], &file)?;
        let mut rest = lines.iter();
        for line in wanted {
            ensure!(
                rest.any(|seen| matches(line, seen)),
                "docs/debugging.md: `{line}` is not in the trace {}, or not in this order; it ends with\n{}",
                file.display(),
                lines[lines.len().saturating_sub(12)..].join("\n")
            );
        }
        Ok(())
    }

    fn run(&self, setup: &Setup) -> Result<PathBuf> {
        let name = format!("trace-{}", self.name);
        let (options, images) = setup.images(self.spmc_el)?;
        let oddities = format!("spmc={}", self.oddities);
        let machine = setup.machine(&name, &options, &images, "", &[&oddities])?;
        let text = test::config_text(
            "demo",
            "",
            setup.context.build().bl31.name(),
            1,
            &[&oddities],
        );
        std::fs::write(&machine.loaded[0].0, text)?;
        let mut machine = Machine { smp: 2, ..machine };
        let file = paths::out().join("test").join(&name).join("run.trace");
        record::start(Some(&file), &RunArgs::default(), &images, &mut machine)?;
        let log = file.with_extension("log");
        let mut running = console::start(&setup.qemu, &machine, &log, false, LIMITS)?;
        // Most of them hang, which is what they show.
        let _ = running.finish();
        Ok(file)
    }
}

/// The lines of a block of the document.
fn block<'a>(document: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let mut lines = document.lines();
    lines.find(|line| *line == format!("```trace {name}"))?;
    Some(lines.take_while(|line| *line != "```").collect())
}

/// Returns whether a line of the trace is the document's, which has no time and `…` for any text.
fn matches(wanted: &str, seen: &str) -> bool {
    let seen = seen
        .trim_start()
        .trim_start_matches(|c: char| c.is_ascii_digit())
        .trim_start();
    let mut parts = wanted.trim_end().split('…');
    let Some(mut rest) = parts.next().and_then(|first| seen.strip_prefix(first)) else {
        return false;
    };
    let mut open = false;
    for part in parts {
        open = part.is_empty();
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    open || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_document() {
        let seen = "  162165678  core 0    EL3 → SPMC  starts at S-EL2 pc=0xe100000 x0=0xe002000  ⇒ FFA_MSG_WAIT";
        assert!(matches("core 0    EL3 → SPMC  starts at S-EL2 …", seen));
        assert!(matches(
            "core 0    EL3 → SPMC  starts … pc=0xe100000 …  ⇒ FFA_MSG_WAIT",
            seen
        ));
        assert!(!matches("core 0    EL3 → SPMC  starts at S-EL1 …", seen));
        assert!(!matches("core 0    EL3 → SPMC  starts at S-EL2", seen));
        assert_eq!(
            block("a\n```trace x\none\ntwo\n```\n", "x"),
            Some(vec!["one", "two"])
        );
        assert_eq!(block("a\n", "x"), None);
    }
}
