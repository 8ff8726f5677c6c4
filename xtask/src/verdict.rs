//! Decides when a run without a person ends, and with which verdict.
//!
//! The lines of the consoles are compared with three lists: what firmware prints when it stops for good, what the user
//! called a failure, and what the user waits for.

use crate::console::{Matcher, Running, Uart};
use anyhow::{Result, bail};
use regex::{Regex, RegexSet};
use std::time::Duration;

/// The end of `run`'s help.
pub const HELP: &str = "\
What ends a run off a terminal (or with --until, --fail, --timeout, --idle):
  - every --until was said: success
  - a --fail was said: failure
  - the firmware stops: a crash report, a PANIC, \"this core stops here\", an error of BL1 or BL2,
    nothing within 30 s of the start (BL1 stops in silence on a CPU model that it does not know): failure,
    with that line as the reason
  - a stack of this repository has shown all it has to: success
  - the machine goes off or resets: success, with --until a failure
  - --idle seconds without a word (180), or --timeout seconds in all (900): with --until, or on a stack
    of this repository, a failure; else the run just says so";

/// Lines with which firmware says that it goes no further.
const STOPS: &[&str] = &[
    r"\bCRASH: ",
    r"\bthis core stops here\b",
    // The C BL31, OP-TEE, and Hafnium.
    r"^(\S+: +)?(PANIC|Unhandled Exception in EL3)\b",
    r"^(\S+: +)?Panic: ",
    r"^ASSERT: ",
    r"^E/TC:.*\bPanic\b",
    // BL1 and BL2.
    r"^ERROR: +(BL[12]: |Failed to load |Failure in |Can't |Parse optee |Cannot boot )",
    // A kernel.
    r"\b(Kernel panic|kernel BUG at|Internal error: |detected stalls on CPUs)",
];

/// After these lines the C BL31 turns the machine off or resets it. Where that takes a moment, it prints a PANIC of its
/// own.
const GOES_OFF: &str = r"^ERROR: +QEMU System (Power off|Reset): with GPIO";

/// BL1 prints something within this time, even on a busy machine.
pub const FIRST_WORD: Duration = Duration::from_secs(30);

/// What to look for.
#[derive(Default)]
pub struct Rules {
    /// What has to be printed, each of them.
    pub until: Vec<Regex>,
    /// What ends the run as a failure.
    pub fail: Vec<Regex>,
}

/// How a run ended that did not fail.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// All expected texts were printed; this is the last such line.
    Said(String),
    /// The machine switched itself off.
    Off,
    /// A limit was reached in a run that expected no text: which limit.
    Limit(String),
}

/// What one line means.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Nothing,
    /// The last expected text.
    Last,
    /// A text of --fail.
    Fails,
    /// The firmware goes no further.
    Stops,
}

/// Looks at lines until one decides.
pub struct Watch<'a> {
    rules: &'a Rules,
    open: Vec<bool>,
    stops: RegexSet,
    goes_off: Regex,
    /// Whether the machine is being switched off.
    off: bool,
}

impl<'a> Watch<'a> {
    /// Starts before the first line.
    ///
    /// # Errors
    /// None: the built-in expressions are tested.
    pub fn new(rules: &'a Rules) -> Result<Watch<'a>> {
        Ok(Watch {
            rules,
            open: vec![true; rules.until.len()],
            stops: RegexSet::new(STOPS)?,
            goes_off: Regex::new(GOES_OFF)?,
            off: false,
        })
    }

    fn line(&mut self, line: &str) -> Line {
        if self.rules.fail.iter().any(|r| r.is_match(line)) {
            return Line::Fails;
        }
        let mut news = false;
        for (open, regex) in self.open.iter_mut().zip(&self.rules.until) {
            if *open && regex.is_match(line) {
                *open = false;
                news = true;
            }
        }
        if news && !self.open.contains(&true) {
            return Line::Last;
        }
        self.off |= self.goes_off.is_match(line);
        if self.stops.is_match(line) && !self.off {
            return Line::Stops;
        }
        Line::Nothing
    }

    /// Says of a line whether firmware goes no further after it.
    pub fn stopper(&self) -> Matcher {
        let (stops, goes_off) = (self.stops.clone(), self.goes_off.clone());
        let mut off = self.off;
        Box::new(move |line| {
            off |= goes_off.is_match(line);
            stops.is_match(line) && !off
        })
    }

    /// The expressions that were not matched.
    fn missing(&self) -> String {
        let open = self.rules.until.iter().zip(&self.open);
        let names: Vec<String> = open
            .filter(|(_, open)| **open)
            .map(|(r, _)| format!("`{r}`"))
            .collect();
        names.join(" and ")
    }
}

/// Follows a machine to the end of its run; returns how it ended.
///
/// # Errors
/// The run failed: the reason, which is a line of the console where there is one.
pub fn judge(running: &mut Running, rules: &Rules) -> Result<End> {
    let mut watch = Watch::new(rules)?;
    loop {
        let (uart, line) = match running.next_line() {
            Ok(Some(line)) => line,
            Ok(None) if rules.until.is_empty() => {
                if !running.finish()? {
                    bail!("{}", running.why_not());
                }
                return Ok(End::Off);
            }
            Ok(None) => bail!("the machine ended without saying {}", watch.missing()),
            Err(error) if running.silent() => return Err(error),
            Err(error) if rules.until.is_empty() => return Ok(End::Limit(format!("{error:#}"))),
            Err(error) => return Err(error.context(format!("waiting for {}", watch.missing()))),
        };
        let on = if uart == Uart::Secure {
            "UART1"
        } else {
            "UART0"
        };
        match watch.line(&line) {
            Line::Nothing => {}
            Line::Last => return Ok(End::Said(line)),
            Line::Fails => {
                running.burst();
                bail!("{on} says `{}`, which --fail is for", line.trim());
            }
            Line::Stops => {
                running.burst();
                // Lines of two consoles may arrive in another order than they were printed.
                if running.normal.lines().any(|l| watch.goes_off.is_match(l)) {
                    continue;
                }
                bail!("the firmware stops; {on} says `{}`", line.trim());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(until: &[&str], fail: &[&str]) -> Rules {
        let all = |list: &[&str]| list.iter().map(|r| Regex::new(r).unwrap()).collect();
        Rules {
            until: all(until),
            fail: all(fail),
        }
    }

    #[test]
    fn all_of_them_in_any_order() {
        let rules = rules(&["^b", "a$"], &["FAILED: [1-9]"]);
        let mut watch = Watch::new(&rules).unwrap();
        assert_eq!(watch.line("nothing"), Line::Nothing);
        assert_eq!(watch.line("FAILED: 0"), Line::Nothing);
        assert_eq!(watch.line("banan"), Line::Nothing);
        assert_eq!(watch.missing(), "`a$`");
        assert_eq!(watch.line("bb"), Line::Nothing, "the same again");
        assert_eq!(watch.line("a"), Line::Last);
        assert_eq!(watch.line("FAILED: 3"), Line::Fails);
    }

    #[test]
    fn a_panic_of_the_c_bl31_on_its_way_off_is_none() {
        let rules = rules(&[], &[]);
        let mut watch = Watch::new(&rules).unwrap();
        let mut stopper = watch.stopper();
        for line in [
            "ERROR:   QEMU System Power off: with GPIO.",
            "PANIC at PC : 0x000000000e096a48",
        ] {
            assert_eq!(watch.line(line), Line::Nothing, "{line}");
            assert!(!stopper(line), "{line}");
        }
    }

    #[test]
    fn what_firmware_says_when_it_stops() {
        let rules = rules(&[], &[]);
        let mut watch = Watch::new(&rules).unwrap();
        for line in [
            "[janus] CRASH: synchronous exception in EL3",
            "[janus] this core stops here",
            "PANIC in EL3.",
            "PANIC at PC : 0x000000000e0a1234",
            "Unhandled Exception in EL3.",
            "ERROR:   BL2: Failed to load image id 5 (-2)",
            "ERROR:   Failed to load BL2 firmware.",
            "NOTICE: Panic: assertion failed at ../src/init.c:10",
            "E/TC:0 0 Panic at core/kernel/boot.c:1",
            "[    0.3] Kernel panic - not syncing: VFS",
        ] {
            assert_eq!(watch.line(line), Line::Stops, "{line}");
        }
        for line in [
            "NOTICE:  BL1: Booting BL31",
            "> Executing 'a test of SDEI PANIC'",
            "ERROR: the test passed in spite of this",
            "ERROR:   FF-A: an SPMC's own remark",
            "[janus] core 2 dies",
        ] {
            assert_eq!(watch.line(line), Line::Nothing, "{line}");
        }
    }
}
