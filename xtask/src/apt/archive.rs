//! Debian's archives, and this machine's way to them: an apt root for each release and kind of package.
//!
//! A root has its own sources, package lists and state, in the cache. The mirror, the keyring and everything below
//! `Acquire` (proxies, certificates, policies) are the machine's. The mirror is the one in the machine's own sources
//! for its own release, or in the file that `$JANUS_APT_SOURCES` names. Signatures are checked as usual.

use crate::{packages, paths, proc, store, ui};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What an apt root offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packages {
    /// Source packages.
    Source,
    /// Packages of the guest's architecture, arm64; taken apart, never installed.
    Guest,
    /// Packages of the machine's own architecture on top of what is installed.
    Host,
}

/// An apt root: one release, one kind of package.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Archive {
    /// The release, such as `trixie`; empty for the machine's own.
    pub release: &'static str,
    /// What is taken from it.
    pub packages: Packages,
}

/// Debian 13's sources first: TF-A, Xen.
pub const TRIXIE_SOURCE: &[Archive] = &[
    source_of("trixie"),
    source_of("trixie-security"),
    source_of("trixie-updates"),
    source_of("testing"),
    source_of("sid"),
];
/// Debian unstable's sources first: OP-TEE.
pub const SID_SOURCE: &[Archive] = &[
    source_of("sid"),
    source_of("testing"),
    source_of("trixie-backports"),
];
/// Debian unstable for arm64 first: Linux and what runs on it.
pub const SID_GUEST: &[Archive] = &[
    guest_of("sid"),
    guest_of("testing"),
    guest_of("trixie-backports"),
];
/// Debian 13 for arm64 first: U-Boot.
pub const TRIXIE_GUEST: &[Archive] = &[
    guest_of("trixie"),
    guest_of("trixie-updates"),
    guest_of("testing"),
    guest_of("sid"),
];
/// The day of the snapshot that has the preferred versions.
pub const SNAPSHOT: &str = "20261025T000000Z";
/// Debian 12's backports for this machine: QEMU 10.
pub const BACKPORTS: Archive = Archive {
    release: "bookworm-backports",
    packages: Packages::Host,
};
/// The machine's own release: its QEMU.
pub const OWN: Archive = Archive {
    release: "",
    packages: Packages::Host,
};

pub const fn source_of(release: &'static str) -> Archive {
    Archive {
        release,
        packages: Packages::Source,
    }
}

pub const fn guest_of(release: &'static str) -> Archive {
    Archive {
        release,
        packages: Packages::Guest,
    }
}

/// One of the machine's own package sources.
struct Source {
    uri: String,
    suites: Vec<String>,
    signed_by: Option<String>,
    trusted: bool,
}

impl Archive {
    /// The name of its root in the cache.
    pub fn name(self) -> String {
        let release = if self.release.is_empty() {
            "own"
        } else {
            self.release
        };
        let kind = match self.packages {
            Packages::Source => "source",
            Packages::Guest => "arm64",
            Packages::Host => "host",
        };
        format!("apt/{release}-{kind}")
    }

    /// Makes the root and downloads its lists, unless both are there; with `again`, always.
    ///
    /// # Errors
    /// The archive cannot be reached.
    pub fn config(self, again: bool) -> Result<PathBuf> {
        packages::ensure(&["dpkg-dev"], "to unpack Debian packages")?;
        let name = self.name();
        let fresh = store::complete(&name).is_none();
        let dir = store::entry(&name, |dir| self.fill(dir, &self.sources()?, &name))?;
        let conf = dir.join("apt.conf");
        if again && !fresh {
            let _lock = store::lock(&name)?;
            let stamp = dir.join("updated");
            let age = stamp.metadata().and_then(|m| m.modified()).ok();
            let age = age.and_then(|at| at.elapsed().ok());
            if age.is_none_or(|age| age > TODAY) {
                update(&dir, &name)?;
            }
        }
        Ok(conf)
    }

    /// Makes the root `name` in `dir`, with one-line `sources`.
    fn fill(self, dir: &Path, sources: &str, name: &str) -> Result<()> {
        for sub in [
            "etc/preferences.d",
            "etc/trusted.gpg.d",
            "state/lists/partial",
            "cache/archives/partial",
        ] {
            fs::create_dir_all(dir.join(sub))?;
        }
        fs::write(dir.join("etc/sources.list"), sources)?;
        let mut conf = format!(
            "Dir \"{d}\";\nDir::State \"{d}/state\";\nDir::State::status \"/var/lib/dpkg/status\";\n\
             Dir::Cache \"{d}/cache\";\nDir::Etc \"{d}/etc\";\nDir::Etc::parts \"{d}/etc/none\";\n\
             Dir::Etc::sourcelist \"{d}/etc/sources.list\";\nDir::Etc::sourceparts \"-\";\n\
             APT::Sandbox::User \"root\";\nAPT::Architecture \"{arch}\";\nAPT::Architectures {{ \"{arch}\"; }};\n",
            d = dir.display(),
            arch = if self.packages == Packages::Guest {
                "arm64".to_owned()
            } else {
                host_arch()?
            },
        );
        // How this machine reaches its mirror (proxy, certificates, retries) is taken over as it is.
        let own = proc::output(Command::new("apt-config").arg("dump")).unwrap_or_default();
        for line in own.lines().filter(|l| l.starts_with("Acquire::")) {
            if !line.starts_with("Acquire::IndexTargets") && !line.starts_with("Acquire::Languages")
            {
                conf += line;
                conf += "\n";
            }
        }
        conf += "Acquire::Languages \"none\";\n";
        fs::write(dir.join("apt.conf"), conf)?;
        update(dir, name)
    }

    fn sources(self) -> Result<String> {
        let codename = own_codename()?;
        let own = own_sources();
        let matching: Vec<&Source> = own
            .iter()
            .filter(|s| s.suites.iter().any(|suite| suite.starts_with(&codename)))
            .collect();
        let main = matching.iter().find(|s| s.suites.contains(&codename)).with_context(|| {
            format!(
                "this machine's apt sources name no archive for its own release ({codename}), so there is no \
                 mirror to take other Debian packages from; add one under /etc/apt"
            )
        })?;
        let line = |what: &str, arch: &str, s: &Source, suite: &str| {
            let key = s
                .signed_by
                .as_deref()
                .unwrap_or("/usr/share/keyrings/debian-archive-keyring.gpg");
            let key = if s.trusted {
                "trusted=yes".to_owned()
            } else {
                format!("signed-by={key}")
            };
            format!("{what} [{arch}{key}] {} {suite} main\n", s.uri)
        };
        // Security updates are in an archive of their own.
        let from = if self.release.ends_with("-security") {
            matching
                .iter()
                .find(|s| s.suites.iter().any(|suite| suite.ends_with("-security")))
                .with_context(|| {
                    format!("this machine's apt sources name no archive of {codename}-security")
                })?
        } else {
            main
        };
        Ok(match self.packages {
            Packages::Source => line("deb-src", "", from, self.release),
            Packages::Guest => line("deb", "arch=arm64 ", from, self.release),
            Packages::Host => {
                let arch = format!("arch={} ", host_arch()?);
                let mut lines = String::new();
                for source in &matching {
                    for suite in source
                        .suites
                        .iter()
                        .filter(|s| s.starts_with(&codename) && **s != *self.release)
                    {
                        lines += &line("deb", &arch, source, suite);
                    }
                }
                if !self.release.is_empty() {
                    lines += &line("deb", &arch, main, self.release);
                }
                lines
            }
        })
    }

    /// Returns the archive as it was on the day of [`SNAPSHOT`], in a root of its own.
    ///
    /// `$JANUS_SNAPSHOT` says where the snapshots are (the address that a date is added to); without it, the field
    /// `Snapshots` of the archive's release file does.
    ///
    /// # Errors
    /// Nothing says where they are, or they cannot be reached.
    pub fn snapshot(self) -> Result<PathBuf> {
        let base = match paths::setting("JANUS_SNAPSHOT") {
            Some(base) => {
                let base = base.to_string_lossy().trim_end_matches('/').to_owned();
                format!("{base}/{SNAPSHOT}/")
            }
            None => self
                .snapshots_address()
                .context("no snapshot archive is known (JANUS_SNAPSHOT can name one)")?
                .replace("@SNAPSHOTID@", SNAPSHOT),
        };
        let name = format!("{}-{SNAPSHOT}", self.name());
        let dir = store::entry(&name, |dir| {
            self.fill(dir, &self.snapshot_source(&base)?, &name)
        })?;
        Ok(dir.join("apt.conf"))
    }

    /// The sources of the snapshot at `base`: one line.
    fn snapshot_source(self, base: &str) -> Result<String> {
        let usual = self.sources()?;
        let line = usual.lines().last().unwrap_or_default();
        // `deb [options] address suite main`. A snapshot's release file may be old.
        let (head, options) = line.split_once('[').context("a source line has options")?;
        let (options, _) = options
            .split_once(']')
            .context("a source line has options")?;
        Ok(format!(
            "{head}[{options} check-valid-until=no] {base} {} main\n",
            self.release
        ))
    }

    /// The address of its snapshots, from the archive's own release file.
    fn snapshots_address(self) -> Option<String> {
        let lists = store::complete(&self.name())?.join("state/lists");
        let files = fs::read_dir(lists)
            .ok()?
            .filter_map(|e| Some(e.ok()?.path()));
        files
            .filter(|f| f.to_string_lossy().ends_with("Release"))
            .filter_map(|f| fs::read_to_string(f).ok())
            .find_map(|text| {
                let field = text.lines().find_map(|l| l.strip_prefix("Snapshots:"))?;
                (field.trim() != "no").then(|| field.trim().to_owned())
            })
    }

    /// The versions of a package that an archive has, newest first as apt lists them.
    pub fn versions(self, conf: &Path, package: &str) -> Vec<String> {
        let mut cache = Command::new("apt-cache");
        cache.env("APT_CONFIG", conf);
        match self.packages {
            Packages::Source => cache.args(["showsrc", "--only-source", package]),
            Packages::Guest | Packages::Host => cache.args(["show", package]),
        };
        let text = proc::output(&mut cache).unwrap_or_default();
        text.lines()
            .filter_map(|l| l.strip_prefix("Version: "))
            .map(str::to_owned)
            .collect()
    }

    /// Returns whether its lists are on this machine.
    pub fn has_lists(self) -> bool {
        store::complete(&self.name()).is_some()
    }

    /// The versions of a package in the lists on this machine.
    pub fn listed(self, package: &str) -> Vec<String> {
        match store::complete(&self.name()) {
            Some(dir) => self.versions(&dir.join("apt.conf"), package),
            None => Vec::new(),
        }
    }

    /// Fetches its lists, even if they are here.
    ///
    /// # Errors
    /// The archive cannot be reached, or has no such release.
    pub fn refresh(self) -> Result<()> {
        self.config(true).map(|_| ())
    }
}

/// Lists younger than this need not be fetched again.
const TODAY: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// Fetches the lists of the root `name` in `dir`.
fn update(dir: &Path, name: &str) -> Result<()> {
    let step = ui::step(format!(
        "package lists of {}",
        name.trim_start_matches("apt/")
    ));
    let log = dir.join("update.log");
    let mut apt = Command::new("apt-get");
    apt.env("APT_CONFIG", dir.join("apt.conf"))
        .args(["update", "-q", "--error-on=any"]);
    proc::logged(&mut apt, &log).context(
        "the package lists could not be fetched: is there a network, and does the mirror of this machine's \
         apt sources carry that release?",
    )?;
    fs::write(dir.join("updated"), "")?;
    step.done();
    Ok(())
}

/// The machine's Debian architecture.
fn host_arch() -> Result<String> {
    Ok(proc::output(Command::new("dpkg").arg("--print-architecture"))
        .context("this needs Debian or a relative of it (dpkg is missing); on others give --tfa, --qemu, --bl32, --bl33")?
        .trim()
        .to_owned())
}

/// The code name of the machine's own release.
pub fn own_codename() -> Result<String> {
    if let Some(name) = paths::setting("JANUS_APT_CODENAME") {
        return Ok(name.to_string_lossy().into_owned());
    }
    let text = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let name = text
        .lines()
        .find_map(|l| l.strip_prefix("VERSION_CODENAME="));
    Ok(name
        .context("/etc/os-release names no VERSION_CODENAME")?
        .trim_matches('"')
        .to_owned())
}

/// The binary package sources that the machine is configured with, in both of apt's formats.
fn own_sources() -> Vec<Source> {
    if let Some(file) = paths::setting("JANUS_APT_SOURCES") {
        let text = fs::read_to_string(&file).unwrap_or_default();
        return deb822(&text);
    }
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(dir) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(dir.filter_map(|e| Some(e.ok()?.path())));
    }
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        match file.extension().and_then(|e| e.to_str()) {
            Some("sources") => found.extend(deb822(&text)),
            Some("list") => found.extend(text.lines().filter_map(one_line)),
            _ => {}
        }
    }
    found
}

/// Reads `deb [options] uri suite component...`.
fn one_line(line: &str) -> Option<Source> {
    let rest = line
        .trim()
        .strip_prefix("deb")?
        .strip_prefix([' ', '\t'])?
        .trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(tail) => tail.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    let signed_by = options
        .split_whitespace()
        .find_map(|o| o.strip_prefix("signed-by="))
        .map(str::to_owned);
    Some(Source {
        uri: uri.to_owned(),
        suites: vec![suite.to_owned()],
        signed_by,
        trusted: options.split_whitespace().any(|o| o == "trusted=yes"),
    })
}

/// Reads stanzas of `Key: value` lines.
fn deb822(text: &str) -> Vec<Source> {
    let mut found = Vec::new();
    for stanza in text.split("\n\n") {
        let field = |name: &str| {
            stanza
                .lines()
                .find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))
                .map(|v| v.trim().to_owned())
        };
        let types = field("Types").unwrap_or_default();
        let enabled = field("Enabled").is_none_or(|v| v != "no");
        if let (true, true, Some(uris), Some(suites)) = (
            types.split_whitespace().any(|t| t == "deb"),
            enabled,
            field("URIs"),
            field("Suites"),
        ) {
            found.push(Source {
                uri: uris
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                suites: suites.split_whitespace().map(str::to_owned).collect(),
                // A stanza may contain the key itself. Debian's own keyring is used then.
                signed_by: field("Signed-By").filter(|k| k.starts_with('/')),
                trusted: field("Trusted").is_some_and(|v| v == "yes"),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_sources() {
        let s = one_line(
            "deb [arch=amd64 signed-by=/k.gpg] https://mirror/debian bookworm main contrib",
        )
        .unwrap();
        assert_eq!(
            (s.uri.as_str(), s.suites[0].as_str()),
            ("https://mirror/debian", "bookworm")
        );
        assert_eq!(s.signed_by.as_deref(), Some("/k.gpg"));
        assert!(one_line("deb-src http://mirror/debian bookworm main").is_none());
        assert!(one_line("# deb http://mirror/debian bookworm main").is_none());
    }

    #[test]
    fn deb822_sources() {
        let text = "Types: deb deb-src\nURIs: http://mirror/debian\nSuites: bookworm bookworm-updates\n\
                    Components: main\nSigned-By: /k.gpg\n\nTypes: deb-src\nURIs: http://other\nSuites: sid\n";
        let s = deb822(text);
        assert_eq!(s.len(), 1);
        assert_eq!(s[0].suites, ["bookworm", "bookworm-updates"]);
        assert_eq!(s[0].uri, "http://mirror/debian");
    }
}
