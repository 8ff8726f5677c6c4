//! Tests of the trace: its page in a browser, a large file, the examples of docs/debugging.md, and the image against
//! the dispatcher's library.

use super::boots::Setup;
use super::trace_examples::{EXAMPLES, Example};
use super::{Context, Tally};
use crate::cli::{BuildArgs, Plat, RunArgs, Runtime};
use crate::qemu::{self, Qemu};
use crate::stacks::{Mode, Stack, test};
use crate::{apt, paths, proc, run, tfa, trace, ui};
use anyhow::{Context as _, Result, bail, ensure};
use janus_trace_format::example;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A script that drives the page with the browser's own events and writes down what it saw.
const DRIVER: &str = include_str!("trace_page.js");

/// The number of events in the large trace.
const MANY: usize = 200_000;

/// Runs what is asked for.
///
/// # Errors
/// None: failures are counted.
pub fn run(context: &Context) -> Tally {
    let mut tally = Tally::default();
    let mut case = |name: &str, test: &dyn Fn() -> Result<()>| {
        if context.wants(name) {
            let step = ui::step(name.to_owned());
            let result = test();
            if result.is_ok() {
                step.done();
            }
            tally.case(name, result);
        }
    };
    case("trace/page", &page);
    case("trace/large", &large);
    if EXAMPLES
        .iter()
        .any(|example| context.wants(&name_of(example)))
    {
        match setup(context) {
            Err(error) => case("trace/examples", &|| bail!("{error:#}")),
            Ok(setup) => {
                for example in EXAMPLES {
                    case(&name_of(example), &|| example.check(&setup));
                }
            }
        }
    }
    // They need Debian's packages and take a minute each. So they are run by name or with `--full`, like the other
    // stacks.
    if context.args.full || context.filter.contains("check") {
        case("trace/check/janus", &|| conforms(context, Runtime::Janus));
        case("trace/check/c", &|| conforms(context, Runtime::C));
    }
    tally
}

/// The known differences between TF-A's C BL31 and the dispatcher's library, as docs/debugging.md lists them.
const KNOWN: &[&str] = &[
    "NS FFA_VERSION: SPMC gets another x8-x17",
    "NS SYSTEM_OFF: the SPMC is not told, Janus tells it",
];

/// Records OP-TEE and Linux over a BL31 and replays the trace: only known differences may be found.
fn conforms(context: &Context, runtime: Runtime) -> Result<()> {
    let known = if runtime == Runtime::C { KNOWN } else { &[] };
    let file = paths::out().join(format!("test/optee-linux-{}.trace", runtime.name()));
    let mut args = RunArgs {
        qemu: context.args.qemu.clone(),
        smp: 4,
        cpu: "max".into(),
        trace: Some(Some(file.clone())),
        ..RunArgs::default()
    };
    args.fip.stack = Stack::OpteeLinux;
    args.fip.build = BuildArgs {
        bl31: runtime,
        ..context.build()
    };
    run::check(&args, Mode::Demo, false)?;
    let mut others = trace::differences(&file)?;
    others.retain(|kind| !known.contains(&kind.as_str()));
    ensure!(
        others.is_empty(),
        "differences that are not known: {others:#?}"
    );
    Ok(())
}

fn name_of(example: &Example) -> String {
    format!("trace/example/{}", example.name)
}

/// What the examples share.
fn setup(context: &Context) -> Result<Setup<'_>> {
    tfa::ensure_tools()?;
    Ok(Setup {
        context,
        plat: Plat::Qemu,
        spmc: test::payload(Plat::Qemu, "spmc")?,
        hypervisor: test::payload(Plat::Qemu, "hypervisor")?,
        qemu: Qemu::find(Plat::Qemu, context.args.qemu.as_deref())?,
    })
}

/// Opens the page with many events in a headless Chromium: scrolls, zooms, filters, searches, clicks.
fn page() -> Result<()> {
    let dir = paths::out().join("test/trace-page");
    std::fs::create_dir_all(&dir)?;
    let trace = dir.join("page.trace");
    let file = dir.join("page.html");
    std::fs::write(&trace, example::file(MANY))?;
    trace::lines(&["--html", &file.to_string_lossy()], &trace)?;
    let page = std::fs::read_to_string(&file)?;
    ensure!(
        !page.contains("://"),
        "the page names something outside of itself"
    );
    let driver = format!("<script>{DRIVER}</script></body>");
    std::fs::write(&file, page.replacen("</body>", &driver, 1))?;
    let dom = browse(&file, &dir)?;
    let result = dom
        .split_once("<pre id=\"result\">")
        .and_then(|(_, rest)| rest.split_once("</pre>"))
        .context("the page's script did not come to its end")?
        .0;
    let failed: Vec<&str> = result
        .lines()
        .filter(|line| !line.starts_with("ok "))
        .collect();
    ensure!(
        failed.is_empty() && result.lines().count() >= 9,
        "in the page:\n{result}"
    );
    Ok(())
}

/// Shows a million events to the last one; of a file that was cut off, all events up to there.
fn large() -> Result<()> {
    const EVENTS: usize = 1_000_000;
    let dir = paths::out().join("test");
    std::fs::create_dir_all(&dir)?;
    let file = dir.join("large.trace");
    let mut bytes = example::file(EVENTS);
    std::fs::write(&file, &bytes)?;
    let count = |(lines, remarks): (Vec<String>, String)| (lines.len(), remarks);
    let (lines, remarks) = count(trace::lines(&[], &file)?);
    ensure!(
        lines > EVENTS / 3 && remarks.is_empty(),
        "{lines} lines, {remarks}"
    );
    bytes.truncate(bytes.len() - 9);
    std::fs::write(&file, &bytes)?;
    let (cut_lines, remarks) = count(trace::lines(&[], &file)?);
    std::fs::remove_file(&file)?;
    ensure!(
        lines - cut_lines <= 2 && remarks.contains("cut off"),
        "{cut_lines} of {lines} lines, {remarks}"
    );
    Ok(())
}

/// Opens a page in Debian's Chromium and returns the document as it is at the end.
fn browse(page: &Path, dir: &Path) -> Result<String> {
    let mut chromium = chromium()?;
    chromium
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ])
        .args([
            "--window-size=1400,900",
            "--virtual-time-budget=20000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .env("HOME", dir);
    proc::output(&mut chromium)
}

fn chromium() -> Result<Command> {
    if let Some(program) = proc::find("chromium") {
        return Ok(Command::new(program));
    }
    let root: PathBuf = apt::host(apt::OWN, "chromium")?;
    let mut command = Command::new(root.join("usr/lib/chromium/chromium"));
    qemu::environment(&mut command, &root);
    command.env("FONTCONFIG_PATH", root.join("etc/fonts"));
    Ok(command)
}
