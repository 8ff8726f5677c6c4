//! Starts a machine that records a trace: loads the plugin and writes the file's header, which tells the decoder and
//! the replay about the machine.

use crate::cli::RunArgs;
use crate::fip::{self, Images};
use crate::qemu::Machine;
use crate::{bl31, paths, toolchain, ui};
use anyhow::{Context, Result, ensure};
use janus_trace_format::Header;
use std::fs;
use std::path::{Path, PathBuf};

/// Makes `machine` write a trace to `file`, or without a name to a file below target/.
///
/// # Errors
/// The plugin does not build, or the file cannot be written.
pub fn start(
    file: Option<&Path>,
    args: &RunArgs,
    images: &Images,
    machine: &mut Machine,
) -> Result<()> {
    let file = place(file, args)?;
    ensure!(
        !file.to_string_lossy().contains(','),
        "QEMU takes no file name with a comma: give another one to --trace"
    );
    let plugin = toolchain::plugin("janus-trace-plugin")?;
    let header = header(args, images, machine)?;
    fs::write(&file, header.to_bytes())
        .with_context(|| format!("cannot write the trace {}", file.display()))?;
    let code = bl31::code(args.fip.build.plat);
    machine.extra.push("-plugin".into());
    machine.extra.push(format!(
        "{},out={},from={:#x},to={:#x},threads={}",
        plugin.display(),
        file.display(),
        code.start,
        code.end,
        if machine.icount { "off" } else { "on" }
    ));
    ui::say(format!("trace: cargo xtask trace {}", file.display()));
    Ok(())
}

fn place(file: Option<&Path>, args: &RunArgs) -> Result<PathBuf> {
    let file = match file {
        Some(file) => std::path::absolute(file)?,
        None => {
            let (stack, bl31) = (args.fip.stack.name(), args.fip.build.bl31.name());
            paths::out().join(format!("trace/{stack}-{bl31}.trace"))
        }
    };
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    Ok(file)
}

fn header(args: &RunArgs, images: &Images, machine: &Machine) -> Result<Header> {
    let mut header = Header::default();
    header.add("bl31", args.fip.build.bl31.name());
    header.add("stack", args.fip.stack.name());
    header.add("cpu", &machine.cpu);
    header.add("smp", machine.smp);
    if let Some(bl32) = &images.bl32 {
        header.add("spmc-base", format!("{:#x}", args.fip.build.plat.spmc()));
        header.add("spmc-size", fs::metadata(bl32)?.len());
    }
    if let Some(manifest) = &images.manifest {
        let dir = paths::out().join("trace");
        fs::create_dir_all(&dir)?;
        let bytes = fs::read(fip::device_tree(manifest, &dir)?)?;
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        header.add("manifest", digits);
    }
    Ok(header)
}
