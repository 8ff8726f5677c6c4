//! Debian archives without touching the system's package configuration.
//!
//! Each release that something is taken from gets an apt root of its own in the cache: its own
//! sources, package lists and state. Mirror, keyring and everything below `Acquire` (proxies,
//! certificates, policies) are the machine's: the mirror is the one that the machine's own sources
//! name for its own release (or those in the file that `$JANUS_APT_SOURCES` names). Signatures are
//! checked as ever.
//!
//! What is pinned does not stay in an archive for ever, and an index may name a file that is not there
//! yet. So each package has several candidates ([`candidates`]): its known versions from each archive
//! at hand, then from a dated snapshot of the archive, then whatever there is. Each is tried in turn;
//! that none could be had is an error of its own, [`NotAvailable`].

use crate::{packages, paths, proc, store, ui};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

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
/// The day of the snapshot in which the preferred versions are.
const SNAPSHOT: &str = "20261025T000000Z";
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

const fn source_of(release: &'static str) -> Archive {
    Archive {
        release,
        kind: Kind::Source,
    }
}

const fn guest_of(release: &'static str) -> Archive {
    Archive {
        release,
        kind: Kind::Guest,
    }
}

/// No candidate of a package could be had: why, one line each.
///
/// Not a fault of what is tested: the tests skip what needs the package.
#[derive(Debug)]
pub struct NotAvailable {
    package: String,
    reasons: Vec<String>,
}

impl fmt::Display for NotAvailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be had today", self.package)?;
        for reason in &self.reasons {
            write!(f, "\n    {reason}")?;
        }
        Ok(())
    }
}

impl std::error::Error for NotAvailable {}

/// That something cannot be had, if that is what went wrong.
pub fn not_available(error: &anyhow::Error) -> Option<&NotAvailable> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

/// Packages and versions that were used since [`used`] was asked last.
static USED: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// The packages that were used since this was asked last, as `name version, …`.
pub fn used() -> String {
    let taken = USED
        .lock()
        .map(|mut used| std::mem::take(&mut *used))
        .unwrap_or_default();
    let list: Vec<String> = taken.iter().map(|(p, v)| format!("{p} {v}")).collect();
    list.join(", ")
}

fn note_use(package: &str, version: &str) {
    if let Ok(mut used) = USED.lock() {
        used.insert(package.to_owned(), version.to_owned());
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
        Ok(match self.kind {
            Kind::Source => line("deb-src", "", from, self.release),
            Kind::Guest => line("deb", "arch=arm64 ", from, self.release),
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

    /// Returns the archive as it was on the day of [`SNAPSHOT`], in a root of its own.
    ///
    /// Where the snapshots are `$JANUS_SNAPSHOT` says (the address that a date is added to), or the
    /// archive itself in the field `Snapshots` of its release file.
    fn snapshot(self) -> Result<PathBuf> {
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

    /// The one line of sources for the snapshot at `base`.
    fn snapshot_source(self, base: &str) -> Result<String> {
        let usual = self.sources()?;
        let line = usual.lines().last().unwrap_or_default();
        // `deb [options] address suite main`; an old release file is what a snapshot is for.
        let (head, options) = line.split_once('[').context("a source line has options")?;
        let (options, _) = options
            .split_once(']')
            .context("a source line has options")?;
        Ok(format!(
            "{head}[{options} check-valid-until=no] {base} {} main\n",
            self.release
        ))
    }

    /// The archive's own word on where its snapshots are.
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
    fn versions(self, conf: &Path, package: &str) -> Vec<String> {
        let mut cache = Command::new("apt-cache");
        cache.env("APT_CONFIG", conf);
        match self.kind {
            Kind::Source => cache.args(["showsrc", "--only-source", package]),
            Kind::Guest | Kind::Host => cache.args(["show", package]),
        };
        let text = proc::output(&mut cache).unwrap_or_default();
        text.lines()
            .filter_map(|l| l.strip_prefix("Version: "))
            .map(str::to_owned)
            .collect()
    }

    /// Whether its lists are here, without a network.
    pub fn has_lists(self) -> bool {
        store::complete(&self.name()).is_some()
    }

    /// The versions of a package in lists that are here already.
    pub fn listed(self, package: &str) -> Vec<String> {
        match store::complete(&self.name()) {
            Some(dir) => self.versions(&dir.join("apt.conf"), package),
            None => Vec::new(),
        }
    }

    /// Fetches its lists, again if they are here.
    ///
    /// # Errors
    /// The archive cannot be reached, or there is none such.
    pub fn refresh(self) -> Result<()> {
        self.config(true).map(|_| ())
    }
}

/// One way to have a package.
struct Candidate {
    conf: PathBuf,
    version: String,
    /// Where it comes from, for a person.
    from: String,
    /// Whether this version is one of the known.
    known: bool,
}

/// How to look for candidates, from the cheapest way on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Known versions in the lists as they are; those that are missing are fetched.
    AsListed,
    /// With lists that are fetched today.
    Today,
    /// Known versions in a dated snapshot.
    Snapshot,
    /// The newest version that there is.
    Newest,
}

/// The candidates of one archive. `known` is in the order of preference; none: any version will do.
fn candidates(
    archive: Archive,
    look: Look,
    package: &str,
    known: &[&str],
) -> Result<Vec<Candidate>> {
    let (conf, from) = match look {
        Look::Snapshot => (
            archive.snapshot()?,
            format!("{} of {SNAPSHOT}", archive.release),
        ),
        _ => (
            archive.config(look == Look::Today)?,
            archive.release.to_owned(),
        ),
    };
    let have = archive.versions(&conf, package);
    let wanted: Vec<String> = if look == Look::Newest || known.is_empty() {
        have.first().cloned().into_iter().collect()
    } else {
        let here = known.iter().filter(|k| have.iter().any(|h| h == *k));
        here.map(|k| (*k).to_owned()).collect()
    };
    Ok(wanted
        .into_iter()
        .map(|version| Candidate {
            conf: conf.clone(),
            known: known.is_empty() || known.contains(&version.as_str()),
            version,
            from: from.clone(),
        })
        .collect())
}

/// Tries one candidate of a package after the other until `get` succeeds. Returns what `get` returns,
/// and the version.
///
/// # Errors
/// [`NotAvailable`], with what went wrong in each archive.
fn first_of<T>(
    archives: &[Archive],
    package: &str,
    known: &[&str],
    mut get: impl FnMut(&Candidate) -> Result<T>,
) -> Result<(T, String)> {
    let mut reasons: Vec<String> = Vec::new();
    let mut tried: Vec<(String, String)> = Vec::new();
    let mut note = |text: String| {
        if !reasons.contains(&text) {
            reasons.push(text);
        }
    };
    for look in [Look::AsListed, Look::Today, Look::Snapshot, Look::Newest] {
        for archive in archives {
            let found = match candidates(*archive, look, package, known) {
                Ok(found) => found,
                Err(error) => {
                    note(format!("{}: {}", archive.name(), first_line(&error)));
                    continue;
                }
            };
            if found.is_empty() {
                let wanted = match (look, known) {
                    (Look::Newest, _) | (_, []) => package.to_owned(),
                    (_, known) => format!("{package} {}", known.join(" or ")),
                };
                note(format!("{}: no {wanted} in its index", archive.name()));
            }
            for candidate in found {
                let id = (candidate.from.clone(), candidate.version.clone());
                if tried.contains(&id) {
                    continue;
                }
                tried.push(id);
                if !candidate.known {
                    ui::say(format!(
                        "{package}: none of the known versions ({}) can be had, trying {} from {}, which nobody has tried",
                        known.join(", "),
                        candidate.version,
                        candidate.from
                    ));
                }
                match get(&candidate) {
                    Ok(got) => {
                        ui::say(format!(
                            "{package} {} from {}{}",
                            candidate.version,
                            candidate.from,
                            match known.first() {
                                Some(first) if *first != candidate.version =>
                                    format!(" (preferred: {first})"),
                                _ => String::new(),
                            }
                        ));
                        return Ok((got, candidate.version));
                    }
                    Err(error) => {
                        let why = first_line(&error);
                        ui::say(format!(
                            "{package} {} from {} cannot be fetched ({why}), trying the next",
                            candidate.version, candidate.from
                        ));
                        note(format!(
                            "{}: {package} {} is in the index and cannot be fetched: {why}",
                            candidate.from, candidate.version
                        ));
                    }
                }
            }
        }
    }
    Err(NotAvailable {
        package: package.to_owned(),
        reasons,
    }
    .into())
}

/// The line of an error that says most: apt's own `E:` if there is one.
fn first_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let apt = text
        .lines()
        .map(|l| l.trim_start_matches([' ', '|']))
        .find(|l| l.starts_with("E: "));
    apt.or(text.lines().next()).unwrap_or_default().to_owned()
}

/// Lists that are younger than this are of today.
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

/// Unpacks a source package into the cache; `known` versions in the order of preference.
///
/// # Errors
/// No network and nothing cached, or the archive lacks the package: the message says so.
pub fn source(archives: &[Archive], package: &str, known: &[&str]) -> Result<(PathBuf, String)> {
    for version in known {
        if let Some(dir) = store::complete(&entry_name(package, version)) {
            note_use(package, version);
            return Ok((dir.join("src"), (*version).to_owned()));
        }
    }
    let (dir, version) = first_of(archives, package, known, |candidate| {
        let version = &candidate.version;
        store::entry(&entry_name(package, version), |dir| {
            unpack_source(&candidate.conf, package, version, dir)
        })
    })?;
    note_use(package, &version);
    Ok((dir.join("src"), version))
}

/// Downloads a source package to `dir` and unpacks it to `src` there.
fn unpack_source(conf: &Path, package: &str, version: &str, dir: &Path) -> Result<()> {
    let step = ui::step(format!("source of {package} {version}"));
    let mut get = Command::new("apt-get");
    get.env("APT_CONFIG", conf).current_dir(dir);
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
            return got.and_then(|()| bail!("apt-get left no .dsc"));
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
}

/// Whether a version of a package is unpacked already, source or arm64.
pub fn cached(package: &str, version: &str) -> bool {
    guest_cached(package, version) || store::complete(&entry_name(package, version)).is_some()
}

/// Whether a version of an arm64 package is unpacked already.
pub fn guest_cached(package: &str, version: &str) -> bool {
    store::complete(&entry_name(&format!("{package}.arm64"), version)).is_some()
}

/// The names of the packages that the newest version of an arm64 package depends on.
///
/// # Errors
/// The archive cannot be reached, or has no such package.
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
pub fn guest(archives: &[Archive], package: &str, known: &[&str]) -> Result<PathBuf> {
    let name = format!("{package}.arm64");
    for version in known {
        if let Some(dir) = store::complete(&entry_name(&name, version)) {
            note_use(package, version);
            return Ok(dir.join("root"));
        }
    }
    let any = store::any_complete(&format!("{name}-"));
    let version_of = |dir: &Path| {
        let dir = dir.file_name().unwrap_or_default().to_string_lossy();
        let version = dir.strip_prefix(&format!("{name}-")).map(str::to_owned);
        version.unwrap_or_default()
    };
    if let (true, Some(dir)) = (known.is_empty(), &any) {
        note_use(package, &version_of(dir));
        return Ok(dir.join("root"));
    }
    let got = first_of(archives, package, known, |candidate| {
        let version = &candidate.version;
        store::entry(&entry_name(&name, version), |dir| {
            let step = ui::step(format!("package {package} {version} (arm64)"));
            let mut get = Command::new("apt-get");
            get.env("APT_CONFIG", &candidate.conf).current_dir(dir);
            get.args(["download", "-q", &format!("{package}={version}")]);
            proc::logged(&mut get, &dir.join("download.log"))?;
            extract_all(dir, &dir.join("root"))?;
            step.done();
            Ok(())
        })
    });
    match (got, any) {
        (Ok((dir, version)), _) => {
            note_use(package, &version);
            Ok(dir.join("root"))
        }
        (Err(_), Some(dir)) => {
            ui::say(format!(
                "{package}: no archive within reach, taking what is cached, {}",
                dir.display()
            ));
            note_use(package, &version_of(&dir));
            Ok(dir.join("root"))
        }
        (Err(error), None) => Err(error),
    }
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
        trusted: options.split_whitespace().any(|o| o == "trusted=yes"),
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

    /// An archive in a folder, as the mirror of a machine; with a cache of its own.
    struct Fake {
        dir: tempfile::TempDir,
    }

    const SID: Archive = guest_of("sid");
    const TESTING: Archive = guest_of("testing");

    impl Fake {
        /// Nothing but the machine's own release, empty. `None`: not a Debian.
        fn new() -> Option<Fake> {
            let codename = own_codename().ok()?;
            proc::find("apt-get").and(proc::find("dpkg-deb"))?;
            let fake = Fake {
                dir: tempfile::tempdir().expect("a directory"),
            };
            let sources = fake.path("own.sources");
            let text = format!(
                "Types: deb\nURIs: file:{}\nSuites: {codename}\nComponents: main\nTrusted: yes\n",
                fake.path("mirror")
            );
            fs::write(&sources, text).expect("written");
            paths::SETTINGS.with_borrow_mut(|settings| {
                settings.insert("JANUS_APT_SOURCES", sources);
                settings.insert("JANUS_CACHE", fake.path("cache"));
                settings.insert("JANUS_SNAPSHOT", format!("file:{}", fake.path("snapshots")));
            });
            Some(fake)
        }

        fn path(&self, name: &str) -> String {
            self.dir.path().join(name).display().to_string()
        }

        /// A suite with versions of the package `thing`; those in `gone` are in the index only.
        fn suite(&self, top: &str, suite: &str, versions: &[&str], gone: &[&str]) {
            let top = PathBuf::from(self.path(top));
            let (pool, dists) = (top.join("pool"), top.join("dists").join(suite));
            let index = dists.join("main/binary-arm64");
            fs::create_dir_all(&pool).expect("made");
            fs::create_dir_all(&index).expect("made");
            let mut packages = String::new();
            for version in versions.iter().chain(gone) {
                let tree = self.dir.path().join("tree");
                fs::create_dir_all(tree.join("DEBIAN")).expect("made");
                let control = format!(
                    "Package: thing\nVersion: {version}\nArchitecture: arm64\nMaintainer: n <n@n>\nDescription: t\n"
                );
                fs::write(tree.join("DEBIAN/control"), &control).expect("written");
                fs::write(tree.join("what"), version).expect("written");
                let deb = pool.join(format!("thing_{version}_arm64.deb"));
                let mut build = Command::new("dpkg-deb");
                build
                    .args(["--root-owner-group", "-b"])
                    .arg(&tree)
                    .arg(&deb);
                proc::output(&mut build).expect("built");
                packages += &format!(
                    "{control}Filename: pool/thing_{version}_arm64.deb\nSize: {}\nSHA256: {}\n\n",
                    deb.metadata().expect("there").len(),
                    sha256(&deb)
                );
                if gone.contains(version) {
                    fs::remove_file(&deb).expect("removed");
                }
            }
            let file = index.join("Packages");
            fs::write(&file, packages).expect("written");
            let release = format!(
                "Suite: {suite}\nCodename: {suite}\nComponents: main\nArchitectures: arm64\n\
                 Date: Sat, 24 Oct 2026 00:00:00 UTC\nSHA256:\n {} {} main/binary-arm64/Packages\n",
                sha256(&file),
                file.metadata().expect("there").len()
            );
            fs::write(dists.join("Release"), release).expect("written");
        }

        /// What a package of these known versions turns out to be.
        fn get(&self, known: &[&str]) -> Result<String> {
            let root = guest(&[SID, TESTING], "thing", known)?;
            Ok(fs::read_to_string(root.join("what"))?)
        }
    }

    fn sha256(file: &Path) -> String {
        let text = proc::output(Command::new("sha256sum").arg(file)).expect("summed");
        text.split_whitespace().next().expect("a sum").to_owned()
    }

    #[test]
    fn the_preferred_version_of_the_first_archive() {
        let Some(fake) = Fake::new() else { return };
        fake.suite("mirror", "sid", &["2", "3"], &[]);
        fake.suite("mirror", "testing", &["2"], &[]);
        used();
        assert_eq!(fake.get(&["2", "1"]).expect("had"), "2");
        assert_eq!(used(), "thing 2", "the version stands in the result");
        fs::remove_dir_all(fake.path("mirror")).expect("removed");
        assert_eq!(fake.get(&["2", "1"]).expect("cached"), "2");
    }

    #[test]
    fn an_index_that_names_what_is_not_there() {
        let Some(fake) = Fake::new() else { return };
        fake.suite("mirror", "sid", &[], &["2"]);
        fake.suite("mirror", "testing", &["1"], &[]);
        assert_eq!(fake.get(&["2", "1"]).expect("the next candidate"), "1");
    }

    #[test]
    fn an_archive_that_cannot_be_reached() {
        let Some(fake) = Fake::new() else { return };
        fake.suite("mirror", "testing", &["1"], &[]);
        assert_eq!(fake.get(&["2", "1"]).expect("the next archive"), "1");
    }

    #[test]
    fn what_is_pinned_is_in_the_snapshot() {
        let Some(fake) = Fake::new() else { return };
        fake.suite("mirror", "sid", &["9"], &[]);
        fake.suite("mirror", "testing", &["8"], &[]);
        fake.suite(&format!("snapshots/{SNAPSHOT}"), "sid", &["2"], &[]);
        assert_eq!(fake.get(&["2"]).expect("from the snapshot"), "2");
    }

    #[test]
    fn the_release_file_says_where_snapshots_are() {
        let Some(fake) = Fake::new() else { return };
        paths::SETTINGS.with_borrow_mut(|settings| settings.remove("JANUS_SNAPSHOT"));
        fake.suite("mirror", "sid", &["9"], &[]);
        fake.suite(&format!("elsewhere/{SNAPSHOT}"), "sid", &["2"], &[]);
        let release = fake.path("mirror/dists/sid/Release");
        let text = fs::read_to_string(&release).expect("read");
        let field = format!("Snapshots: file:{}/@SNAPSHOTID@/\n", fake.path("elsewhere"));
        fs::write(&release, field + &text).expect("written");
        assert_eq!(fake.get(&["2"]).expect("from the snapshot"), "2");
    }

    #[test]
    fn at_last_what_nobody_has_tried() {
        let Some(fake) = Fake::new() else { return };
        fake.suite("mirror", "sid", &["8"], &["9"]);
        fake.suite("mirror", "testing", &["7"], &[]);
        // sid's newest is not there, its next is not looked for: testing's is.
        assert_eq!(fake.get(&["2"]).expect("something"), "7");
    }

    #[test]
    fn nothing_to_be_had_says_why() {
        let Some(fake) = Fake::new() else { return };
        fake.suite("mirror", "sid", &[], &["2"]);
        fake.suite("mirror", "testing", &[], &[]);
        let error = fake.get(&["2"]).expect_err("nothing").context("outer");
        let gone = not_available(&error).expect("of its own kind").to_string();
        assert!(gone.contains("thing cannot be had today"), "{gone}");
        assert!(
            gone.contains("thing 2 is in the index and cannot be fetched"),
            "{gone}"
        );
        assert!(gone.contains("no thing in its index"), "{gone}");
    }
}
