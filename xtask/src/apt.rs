//! Debian archives without touching the system's package configuration.
//!
//! Each release that something is taken from gets an apt root of its own in the cache: its own
//! sources, package lists and state. Mirror, keyring and everything below `Acquire` (proxies,
//! certificates, policies) are the machine's: the mirror is the one that the machine's own sources
//! name for its own release. Signatures are checked as ever.

use crate::{packages, proc, store, ui};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What an apt root offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
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
    /// The release, such as `trixie`; empty: only the machine's own.
    pub release: &'static str,
    /// What is taken from it.
    pub kind: Kind,
}

/// Debian 13's sources: TF-A, Xen.
pub const TRIXIE_SOURCE: Archive = Archive {
    release: "trixie",
    kind: Kind::Source,
};
/// Debian unstable's sources: OP-TEE.
pub const SID_SOURCE: Archive = Archive {
    release: "sid",
    kind: Kind::Source,
};
/// Debian unstable for arm64: Linux and what runs on it.
pub const SID_GUEST: Archive = Archive {
    release: "sid",
    kind: Kind::Guest,
};
/// Debian 13 for arm64: U-Boot.
pub const TRIXIE_GUEST: Archive = Archive {
    release: "trixie",
    kind: Kind::Guest,
};
/// Debian 12's backports for this machine: QEMU 10.
pub const BACKPORTS: Archive = Archive {
    release: "bookworm-backports",
    kind: Kind::Host,
};
/// The machine's own release: its QEMU.
pub const OWN: Archive = Archive {
    release: "",
    kind: Kind::Host,
};

/// One of the machine's own package sources.
struct Source {
    uri: String,
    suites: Vec<String>,
    signed_by: Option<String>,
}

impl Archive {
    fn name(self) -> String {
        let release = if self.release.is_empty() {
            "own"
        } else {
            self.release
        };
        let kind = match self.kind {
            Kind::Source => "source",
            Kind::Guest => "arm64",
            Kind::Host => "host",
        };
        format!("apt/{release}-{kind}")
    }

    /// Makes the root and downloads its lists; once, unless `again`.
    fn config(self, again: bool) -> Result<PathBuf> {
        packages::ensure(&["dpkg-dev"], "to unpack Debian packages")?;
        let fresh = store::complete(&self.name()).is_none();
        let dir = store::entry(&self.name(), |dir| self.fill(dir))?;
        let conf = dir.join("apt.conf");
        if again && !fresh {
            let _lock = store::lock(&self.name())?;
            self.update(&dir)?;
        }
        Ok(conf)
    }

    fn fill(self, dir: &Path) -> Result<()> {
        for sub in [
            "etc/preferences.d",
            "etc/trusted.gpg.d",
            "state/lists/partial",
            "cache/archives/partial",
        ] {
            fs::create_dir_all(dir.join(sub))?;
        }
        fs::write(dir.join("etc/sources.list"), self.sources()?)?;
        let mut conf = format!(
            "Dir \"{d}\";\nDir::State \"{d}/state\";\nDir::State::status \"/var/lib/dpkg/status\";\n\
             Dir::Cache \"{d}/cache\";\nDir::Etc \"{d}/etc\";\nDir::Etc::parts \"{d}/etc/none\";\n\
             Dir::Etc::sourcelist \"{d}/etc/sources.list\";\nDir::Etc::sourceparts \"-\";\n\
             APT::Sandbox::User \"root\";\nAPT::Architecture \"{arch}\";\nAPT::Architectures {{ \"{arch}\"; }};\n",
            d = dir.display(),
            arch = if self.kind == Kind::Guest {
                "arm64".to_owned()
            } else {
                host_arch()?
            },
        );
        // How this machine reaches its mirror (proxy, certificates, retries) is its own affair.
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
        self.update(dir)
    }

    fn sources(self) -> Result<String> {
        let codename = own_codename()?;
        let own = own_sources()?;
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
            format!("{what} [{arch}signed-by={key}] {} {suite} main\n", s.uri)
        };
        Ok(match self.kind {
            Kind::Source => line("deb-src", "", main, self.release),
            Kind::Guest => line("deb", "arch=arm64 ", main, self.release),
            Kind::Host => {
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

    fn update(self, dir: &Path) -> Result<()> {
        let step = ui::step(format!(
            "package lists of {}",
            self.name().trim_start_matches("apt/")
        ));
        let log = dir.join("update.log");
        let mut apt = Command::new("apt-get");
        apt.env("APT_CONFIG", dir.join("apt.conf"))
            .args(["update", "-q", "--error-on=any"]);
        proc::logged(&mut apt, &log).context(
            "the package lists could not be fetched: is there a network, and does the mirror of this machine's \
             apt sources carry that release?",
        )?;
        step.done();
        Ok(())
    }

    /// The versions of a package that the archive has, newest first as apt lists them.
    fn versions(self, conf: &Path, package: &str) -> Result<Vec<String>> {
        let mut cache = Command::new("apt-cache");
        cache.env("APT_CONFIG", conf);
        let prefix = match self.kind {
            Kind::Source => {
                cache.args(["showsrc", "--only-source", package]);
                "Version: "
            }
            Kind::Guest | Kind::Host => {
                cache.args(["show", package]);
                "Version: "
            }
        };
        let text = proc::output(&mut cache).unwrap_or_default();
        Ok(text
            .lines()
            .filter_map(|l| l.strip_prefix(prefix))
            .map(str::to_owned)
            .collect())
    }

    /// The first of the `known` versions of a package that the archive has.
    ///
    /// `known` is in the order of preference. An archive that has none of them is asked for what it
    /// has, and the last resort is its newest: said aloud, since nobody tried that one.
    fn pick(self, conf: &mut PathBuf, package: &str, known: &[&str]) -> Result<String> {
        let mut have = self.versions(conf, package)?;
        let found = |have: &[String]| match known {
            [] => !have.is_empty(),
            known => known.iter().any(|k| have.iter().any(|h| h == k)),
        };
        if !found(&have) {
            *conf = self.config(true)?;
            have = self.versions(conf, package)?;
        }
        for (index, version) in known.iter().enumerate() {
            if have.iter().any(|h| h == version) {
                if index > 0 {
                    ui::say(format!(
                        "{package} {} is gone from the archive, taking the next known, {version}",
                        known[0]
                    ));
                }
                return Ok((*version).to_owned());
            }
        }
        match have.first() {
            // Nobody named a version: any will do.
            Some(version) if known.is_empty() => Ok(version.clone()),
            Some(version) => {
                ui::say(format!(
                    "{package}: none of the known versions ({}) is in the archive, taking {version}, which nobody has tried",
                    known.join(", ")
                ));
                Ok(version.clone())
            }
            None => bail!("{} has no package {package}", self.name()),
        }
    }
}

/// Unpacks a source package into the cache; `known` versions in the order of preference.
///
/// # Errors
/// No network and nothing cached, or the archive lacks the package: the message says so.
pub fn source(archive: Archive, package: &str, known: &[&str]) -> Result<(PathBuf, String)> {
    for version in known {
        if let Some(dir) = store::complete(&entry_name(package, version)) {
            return Ok((dir.join("src"), (*version).to_owned()));
        }
    }
    let mut conf = archive
        .config(false)
        .with_context(|| format!("the source of {package} is not cached"))?;
    let version = archive.pick(&mut conf, package, known)?;
    let dir = store::entry(&entry_name(package, &version), |dir| {
        let step = ui::step(format!("source of {package} {version}"));
        let mut get = Command::new("apt-get");
        get.env("APT_CONFIG", &conf).current_dir(dir);
        get.args([
            "source",
            "-q",
            "--download-only",
            "--only-source",
            &format!("{package}={version}"),
        ]);
        let got = proc::logged(&mut get, &dir.join("download.log"));
        let find = |end: &str| {
            let files = fs::read_dir(dir).ok()?.filter_map(|e| Some(e.ok()?.path()));
            files
                .into_iter()
                .find(|p| p.to_string_lossy().contains(end))
        };
        let Some(dsc) = find(".dsc") else {
            // Mirrors have been seen without the description and with the tarballs, which apt checks
            // one by one against the signed list.
            let Some(tarball) = find(".orig.tar") else {
                return got;
            };
            ui::say(format!(
                "{package}: its .dsc is gone from the mirror, taking upstream's tarball as it is"
            ));
            fs::create_dir(dir.join("src"))?;
            let mut tar = Command::new("tar");
            tar.current_dir(dir)
                .args(["-x", "--strip-components=1", "-C", "src", "-f"])
                .arg(tarball);
            proc::logged(&mut tar, &dir.join("unpack.log"))?;
            step.done();
            return Ok(());
        };
        got?;
        let mut unpack = Command::new("dpkg-source");
        unpack
            .current_dir(dir)
            .args(["--no-check", "-x"])
            .arg(dsc)
            .arg("src");
        proc::logged(&mut unpack, &dir.join("unpack.log"))?;
        step.done();
        Ok(())
    })?;
    Ok((dir.join("src"), version))
}

/// Whether a version of an arm64 package is unpacked already.
pub fn guest_cached(package: &str, version: &str) -> bool {
    store::complete(&entry_name(&format!("{package}.arm64"), version)).is_some()
}

/// The names of the packages that the newest version of an arm64 package depends on.
///
/// # Errors
/// As [`source`].
pub fn depends(archive: Archive, package: &str) -> Result<Vec<String>> {
    let conf = archive
        .config(false)
        .with_context(|| format!("the package {package} is not cached"))?;
    let mut show = Command::new("apt-cache");
    show.env("APT_CONFIG", conf)
        .args(["show", "--no-all-versions", package]);
    let text = proc::output(&mut show)?;
    let field = text
        .lines()
        .find_map(|l| l.strip_prefix("Depends: "))
        .unwrap_or_default();
    Ok(field
        .split(',')
        .filter_map(|d| Some(d.split_whitespace().next()?.to_owned()))
        .collect())
}

/// Unpacks one arm64 package, without what it depends on; `known` versions in the order of preference,
/// none: any version will do.
///
/// # Errors
/// As [`source`].
pub fn guest(archive: Archive, package: &str, known: &[&str]) -> Result<PathBuf> {
    let name = format!("{package}.arm64");
    for version in known {
        if let Some(dir) = store::complete(&entry_name(&name, version)) {
            return Ok(dir.join("root"));
        }
    }
    let any = store::any_complete(&format!("{name}-"));
    if let (true, Some(dir)) = (known.is_empty(), &any) {
        return Ok(dir.join("root"));
    }
    match guest_fetched(archive, package, known) {
        Ok(dir) => Ok(dir.join("root")),
        Err(error) => {
            let dir = any.ok_or(error)?;
            ui::say(format!(
                "{package}: no archive within reach, taking what is cached, {}",
                dir.display()
            ));
            Ok(dir.join("root"))
        }
    }
}

fn guest_fetched(archive: Archive, package: &str, known: &[&str]) -> Result<PathBuf> {
    let mut conf = archive
        .config(false)
        .with_context(|| format!("the package {package} is not cached"))?;
    let version = archive.pick(&mut conf, package, known)?;
    store::entry(&entry_name(&format!("{package}.arm64"), &version), |dir| {
        let step = ui::step(format!("package {package} {version} (arm64)"));
        let mut get = Command::new("apt-get");
        get.env("APT_CONFIG", &conf).current_dir(dir);
        get.args(["download", "-q", &format!("{package}={version}")]);
        proc::logged(&mut get, &dir.join("download.log"))?;
        extract_all(dir, &dir.join("root"))?;
        step.done();
        Ok(())
    })
}

/// Unpacks a package of this machine's architecture with everything it needs that is not installed.
///
/// # Errors
/// As [`source`].
pub fn host(archive: Archive, package: &str) -> Result<PathBuf> {
    let name = format!("{}.{}", package, archive.name().trim_start_matches("apt/"));
    if let Some(dir) = store::complete(&name) {
        return Ok(dir.join("root"));
    }
    let conf = archive
        .config(false)
        .with_context(|| format!("the package {package} is not cached"))?;
    let dir = store::entry(&name, |dir| {
        let what = if archive.release.is_empty() {
            "this machine's own release"
        } else {
            archive.release
        };
        let step = ui::step(format!("package {package} from {what}, unpacked privately"));
        let debs = dir.join("debs");
        fs::create_dir_all(debs.join("partial"))?;
        let mut get = Command::new("apt-get");
        get.env("APT_CONFIG", &conf).args([
            "install",
            "-q",
            "-y",
            "--download-only",
            "--no-install-recommends",
        ]);
        get.arg("-o")
            .arg(format!("Dir::Cache::archives={}", debs.display()));
        get.args(["-o", "Debug::NoLocking=1", "--reinstall"]);
        if !archive.release.is_empty() {
            get.args(["-t", archive.release]);
        }
        get.arg(package);
        proc::logged(&mut get, &dir.join("download.log"))?;
        extract_all(&debs, &dir.join("root"))?;
        step.done();
        Ok(())
    })?;
    Ok(dir.join("root"))
}

fn entry_name(package: &str, version: &str) -> String {
    format!("{package}-{}", version.replace([':', '/', '~'], "_"))
}

/// Unpacks every package file in `from` over each other, and removes the files.
fn extract_all(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for file in fs::read_dir(from)? {
        let file = file?.path();
        if file.extension().is_some_and(|e| e == "deb") {
            proc::output(Command::new("dpkg-deb").arg("-x").arg(&file).arg(to))?;
            fs::remove_file(file)?;
        }
    }
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
fn own_codename() -> Result<String> {
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
fn own_sources() -> Result<Vec<Source>> {
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
    Ok(found)
}

/// `deb [options] uri suite component...`
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
    })
}

/// Stanzas of `Key: value` lines.
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
                // A key may also stand in the stanza itself; then Debian's own keyring is used.
                signed_by: field("Signed-By").filter(|k| k.starts_with('/')),
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
