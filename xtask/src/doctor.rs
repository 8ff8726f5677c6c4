//! `cargo xtask doctor`: which of the tools and downloads that Janus uses are installed, cached or available.

use crate::apt::{self, Archive};
use crate::cli::Plat;
use crate::stacks::{linux, optee, optee_uboot, optee_xen};
use crate::{packages, paths, proc, qemu::Qemu, room, store, tfa, toolchain, ui};
use anyhow::Result;
use clap::Args;
use std::collections::BTreeMap;
use std::process::Command;

/// What to check.
#[derive(Args, Clone, Default)]
pub struct DoctorArgs {
    /// Check only what is on this machine; ask no archive.
    #[arg(long)]
    offline: bool,
}

/// Debian packages that builds use.
const TOOLS: &[&str] = &[
    "gcc",
    "make",
    "gcc-aarch64-linux-gnu",
    "device-tree-compiler",
    "dpkg-dev",
    "libssl-dev",
    "python3",
    "python3-pyelftools",
    "python3-cryptography",
    "flex",
    "bison",
    "xz-utils",
];

/// Something that is taken from Debian: the package, its versions, where it is looked for, and who needs it.
type Wanted = (
    &'static str,
    &'static [&'static str],
    &'static [Archive],
    &'static str,
);

const WANTED: &[Wanted] = &[
    (
        "arm-trusted-firmware",
        tfa::VERSIONS,
        apt::TRIXIE_SOURCE,
        "everything on QEMU",
    ),
    (
        "optee-os",
        optee::VERSIONS,
        apt::SID_SOURCE,
        "all stacks but `test`",
    ),
    ("xen", optee_xen::VERSIONS, apt::TRIXIE_SOURCE, "optee-xen"),
    (
        "busybox-static",
        linux::BUSYBOX,
        apt::SID_GUEST,
        "stacks with Linux",
    ),
    (
        "linux-image-arm64",
        linux::KERNEL_VERSIONS,
        apt::SID_GUEST,
        "stacks with Linux",
    ),
    (
        "optee-test-qemu",
        linux::XTEST[0].1,
        apt::SID_GUEST,
        "optee-linux, optee-xtest",
    ),
    (
        "tee-supplicant",
        linux::XTEST[1].1,
        apt::SID_GUEST,
        "optee-linux, optee-xtest",
    ),
    (
        "u-boot-qemu",
        optee_uboot::VERSIONS,
        apt::TRIXIE_GUEST,
        "optee-uboot",
    ),
];

/// Prints the report, one screen.
///
/// # Errors
/// None that a machine can cause: what is missing is part of the report.
pub fn run(args: &DoctorArgs) -> Result<bool> {
    println!("cache      {}", paths::cache().display());
    println!("disk       {}", room::state());
    println!("rust       {}", toolchain::state());
    println!("qemu       {}", qemu());
    let missing: Vec<&str> = TOOLS
        .iter()
        .copied()
        .filter(|p| !packages::installed(p))
        .collect();
    println!(
        "packages   {}",
        if missing.is_empty() {
            "all installed".to_owned()
        } else {
            format!("missing, installed when needed: {}", missing.join(" "))
        }
    );
    archives(args.offline);
    println!(
        "\n{:<22} {:<20} {:<42} needed for",
        "from Debian", "cached", "to be had"
    );
    let mut complete = true;
    for (package, known, archives, whom) in WANTED {
        let cached = known
            .iter()
            .find(|v| apt::cached(package, v))
            .copied()
            .or_else(|| {
                (*package == "linux-image-arm64")
                    .then(linux::cached)
                    .flatten()
            });
        let offers: Vec<String> = archives
            .iter()
            .filter_map(|archive| {
                let have = archive.listed(package);
                let version = known
                    .iter()
                    .find(|k| have.iter().any(|h| h == *k))
                    .map(|k| (*k).to_owned())
                    .or_else(|| Some(format!("{} (untried)", have.first()?)))?;
                Some(format!("{version} {}", archive.release))
            })
            .collect();
        let offer = match (offers.first(), offers.len()) {
            (None, _) => "nothing".to_owned(),
            (Some(first), 1) => first.clone(),
            (Some(first), n) => format!("{first}, +{}", n - 1),
        };
        complete &= cached.is_some() || !offers.is_empty();
        println!(
            "{package:<22} {:<20} {offer:<42} {whom}",
            cached.unwrap_or("-")
        );
    }
    println!("\nin the cache: {}", by_kind(&store::names()).join(", "));
    Ok(complete)
}

/// Asks each archive, and says which answered.
fn archives(offline: bool) {
    let mut all: Vec<Archive> = Vec::new();
    for archive in WANTED.iter().flat_map(|(.., archives, _)| *archives) {
        if !all.contains(archive) {
            all.push(*archive);
        }
    }
    let name = |archive: &Archive| archive.name().trim_start_matches("apt/").to_owned();
    let mut reached: Vec<String> = Vec::new();
    let mut not: Vec<String> = Vec::new();
    ui::step("asking Debian's archives").around(|step| {
        for archive in &all {
            step.note(&name(archive));
            if !offline && archive.refresh().is_ok() {
                reached.push(name(archive));
            } else if archive.has_lists() {
                not.push(format!("{} (has lists of another day)", name(archive)));
            } else {
                not.push(name(archive));
            }
        }
    });
    let list = |names: Vec<String>| match names.as_slice() {
        [] => "none".to_owned(),
        names => names.join(" "),
    };
    if !offline {
        println!("archives   reached: {}", list(reached));
    }
    if !not.is_empty() {
        let why = if offline { "not asked" } else { "NOT reached" };
        println!("           {why}: {}", list(not));
    }
}

/// The names of what is cached, those of one kind (up to the version) as one with their number.
fn by_kind(names: &[String]) -> Vec<String> {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        let versioned = name.match_indices('-').find(|(at, _)| {
            name[at + 1..].split('-').next().is_some_and(|word| {
                word.starts_with(|c: char| c.is_ascii_digit()) || word.len() == 16
            })
        });
        let kind = versioned.map_or(name.as_str(), |(at, _)| &name[..at]);
        *kinds.entry(kind).or_default() += 1;
    }
    let text = |(kind, count): (&str, usize)| match count {
        1 => kind.to_owned(),
        count => format!("{count} {kind}"),
    };
    kinds.into_iter().map(text).collect()
}

fn qemu() -> String {
    let own = proc::find("qemu-system-aarch64")
        .and_then(|program| proc::output(Command::new(program).arg("--version")).ok())
        .and_then(|text| text.lines().next().map(str::to_owned));
    let cached = store::any_complete("qemu-system-arm.bookworm-backports-host");
    match (own, cached) {
        (Some(own), _) if Qemu::is_recent(&own) => own,
        (_, Some(dir)) => match Qemu::find(Plat::Qemu, None) {
            Ok(qemu) => format!("{}.{} in {}", qemu.version.0, qemu.version.1, dir.display()),
            Err(error) => format!("{error:#}"),
        },
        (Some(own), None) => format!("{own} is too old; 10.0 is fetched when needed"),
        (None, None) => "none here; 10.0 is fetched when needed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cached_by_kind() {
        let names = [
            "tfa-2.12.1+dfsg-1-el1",
            "tfa-2.12.1+dfsg-1-el2",
            "fvp-machine-e907aabddc7aaedc",
            "qemu-system-arm.own-host",
        ]
        .map(str::to_owned);
        assert_eq!(
            by_kind(&names),
            ["fvp-machine", "qemu-system-arm.own-host", "2 tfa"]
        );
    }
}
