//! Debian packages that have to be installed: compilers and the like.
//!
//! They are installed where no password is needed (root, or sudo without a password), and the user sees it. Otherwise
//! the error is the command line that installs them.

use crate::{paths, proc, ui};
use anyhow::{Result, bail};
use std::process::Command;

/// Makes sure that the packages are installed. `why` completes the sentence "needed ...".
///
/// # Errors
/// A package is missing and cannot be installed: the message has the command line.
pub fn ensure(wanted: &[&str], why: &str) -> Result<()> {
    if proc::find("dpkg-query").is_none() {
        // Not Debian: nothing to look up. A tool that is really missing is reported when it is started.
        return Ok(());
    }
    let missing: Vec<&str> = wanted.iter().copied().filter(|p| !installed(p)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    let by_hand = format!("sudo apt-get install -y --no-install-recommends {list}");
    let Some(prefix) = privilege() else {
        bail!("missing Debian packages, needed {why}. Please run:\n\n    {by_hand}\n");
    };
    ui::say(format!("missing Debian packages, needed {why}: {list}"));
    let step = ui::step(format!("apt-get install {list}"));
    let log = paths::out().join("log/apt-install.log");
    if install(&prefix, &missing, &log).is_err() {
        // The lists may be missing (fresh container) or too old for the mirror.
        proc::logged(
            &mut apt_get(&prefix, &["update", "-q"]),
            &paths::out().join("log/apt-update.log"),
        )?;
        install(&prefix, &missing, &log)
            .map_err(|e| e.context(format!("to do it by hand: {by_hand}")))?;
    }
    step.done();
    Ok(())
}

fn install(prefix: &[&str], packages: &[&str], log: &std::path::Path) -> Result<()> {
    let mut args = vec!["install", "-q", "-y", "--no-install-recommends"];
    args.extend(packages);
    proc::logged(&mut apt_get(prefix, &args), log)
}

fn apt_get(prefix: &[&str], args: &[&str]) -> Command {
    let words: Vec<&str> = prefix
        .iter()
        .copied()
        .chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
        .collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(args);
    command
}

/// Returns whether a package is installed.
pub fn installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f=${db:Status-Status}\n", package]);
    proc::output(&mut query).is_ok_and(|text| text.lines().any(|l| l == "installed"))
}

/// The words to put before a command that needs root: none, or sudo if it asks for no password. `None`: neither will
/// do.
fn privilege() -> Option<Vec<&'static str>> {
    let root = proc::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if root {
        return Some(vec![]);
    }
    let sudo = proc::output(Command::new("sudo").args(["-n", "true"])).is_ok();
    sudo.then(|| vec!["sudo", "-n"])
}
