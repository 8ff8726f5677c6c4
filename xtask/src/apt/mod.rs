//! Takes packages from Debian archives without touching the system's package configuration.
//!
//! [`archive`] reaches an archive. This module chooses what is taken from it, and what instead when that is not there.
//!
//! A pinned version does not stay in an archive for ever, and an index may name a file that is not there yet. So each
//! package has several candidates ([`candidates`]): its known versions from each archive at hand, then from a dated
//! snapshot of the archive, then any version. Each is tried in turn. If none is available, the error is
//! [`NotAvailable`].

mod archive;
#[cfg(test)]
pub mod fake;

pub use archive::*;

use crate::{proc, store, ui};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// No candidate of a package is available: the reasons, one line each.
///
/// This is not a fault of what is tested: the tests skip what needs the package.
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

/// The [`NotAvailable`] in an error, if that is what went wrong.
pub fn not_available(error: &anyhow::Error) -> Option<&NotAvailable> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

/// Packages and versions that were used since the last call of [`used`].
static USED: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// Returns the packages that were used since its last call, as `name version, …`.
pub fn used() -> String {
    let taken = USED
        .lock()
        .map(|mut used| std::mem::take(&mut *used))
        .unwrap_or_default();
    let list: Vec<String> = taken.iter().map(|(p, v)| format!("{p} {v}")).collect();
    list.join(", ")
}

/// Returns the packages that were used since the last call of [`used`], without starting anew.
pub fn in_use() -> String {
    let used = USED.lock().map(|used| used.clone()).unwrap_or_default();
    let list: Vec<String> = used.iter().map(|(p, v)| format!("{p} {v}")).collect();
    list.join(", ")
}

fn note_use(package: &str, version: &str) {
    if let Ok(mut used) = USED.lock() {
        used.insert(package.to_owned(), version.to_owned());
    }
}

/// A version of a package from one source.
struct Candidate {
    conf: PathBuf,
    version: String,
    /// Where it comes from, for a person.
    from: String,
    /// Whether this version is one of the known ones.
    known: bool,
}

/// Where candidates are looked for, beginning with the cheapest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Known versions in the lists as they are; missing lists are fetched.
    AsListed,
    /// Known versions in lists that were fetched today.
    Today,
    /// Known versions in a dated snapshot.
    Snapshot,
    /// The newest version that there is.
    Newest,
}

/// The candidates of one archive. `known` is in the order of preference; if it is empty, any version will do.
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

/// Tries the candidates of a package one after the other until `get` succeeds. Returns the result of `get`, and the
/// version.
///
/// # Errors
/// [`NotAvailable`], with the reason in each archive.
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

/// The line of an error that says most: apt's own `E:` line, if there is one.
fn first_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let apt = text
        .lines()
        .map(|l| l.trim_start_matches([' ', '|']))
        .find(|l| l.starts_with("E: "));
    apt.or(text.lines().next()).unwrap_or_default().to_owned()
}

/// Unpacks a source package into the cache. `known` versions are in the order of preference.
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
        // Some mirrors lack the description but have the tarballs, which apt checks one by one against the signed list.
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

/// Returns whether a version of a source or arm64 package is unpacked already.
pub fn cached(package: &str, version: &str) -> bool {
    guest_cached(package, version) || store::complete(&entry_name(package, version)).is_some()
}

/// Returns whether a version of an arm64 package is unpacked already.
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

/// Unpacks one arm64 package, without its dependencies. `known` versions are in the order of preference; if there are
/// none, any version will do.
///
/// # Errors
/// See [`source`].
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

/// Unpacks a package of this machine's architecture, with all of its dependencies that are not installed.
///
/// # Errors
/// See [`source`].
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

/// Unpacks all package files in `from` into one tree, and removes the files.
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

#[cfg(test)]
mod tests {
    use super::fake::{Fake, Gone};
    use super::*;
    use crate::paths;

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
        // The newest file of sid is gone, and an older one is not asked for: the version is testing's.
        assert_eq!(fake.get(&["2"]).expect("something"), "7");
    }

    #[test]
    fn sources_of_the_preferred_version() {
        let Some(fake) = Fake::new() else { return };
        fake.source_suite("mirror", "sid", "3", Gone::Nothing);
        fake.source_suite("mirror", "testing", "2", Gone::Nothing);
        used();
        assert_eq!(fake.get_source(&["2-1", "3-1"]).expect("had"), "3");
        assert_eq!(used(), "thing 3-1");
        fs::remove_dir_all(fake.path("mirror")).expect("removed");
        assert_eq!(fake.get_source(&["3-1"]).expect("cached"), "3");
    }

    #[test]
    fn sources_whose_description_is_gone() {
        let Some(fake) = Fake::new() else { return };
        fake.source_suite("mirror", "sid", "2", Gone::Dsc);
        assert_eq!(fake.get_source(&["2-1"]).expect("upstream's tarball"), "2");
    }

    #[test]
    fn sources_that_an_index_names_and_that_are_not_there() {
        let Some(fake) = Fake::new() else { return };
        fake.source_suite("mirror", "sid", "2", Gone::All);
        fake.source_suite("mirror", "testing", "1", Gone::Nothing);
        let known = ["2-1", "1-1"];
        assert_eq!(fake.get_source(&known).expect("the next candidate"), "1");
    }

    #[test]
    fn pinned_sources_are_in_the_snapshot() {
        let Some(fake) = Fake::new() else { return };
        fake.source_suite("mirror", "sid", "9", Gone::Nothing);
        let snapshot = format!("snapshots/{SNAPSHOT}");
        fake.source_suite(&snapshot, "sid", "2", Gone::Nothing);
        assert_eq!(fake.get_source(&["2-1"]).expect("from the snapshot"), "2");
    }

    #[test]
    fn no_sources_to_be_had() {
        let Some(fake) = Fake::new() else { return };
        fake.source_suite("mirror", "sid", "2", Gone::All);
        let error = fake.get_source(&["2-1"]).expect_err("nothing");
        let gone = not_available(&error).expect("of its own kind").to_string();
        assert!(
            gone.contains("thing 2-1 is in the index and cannot be fetched"),
            "{gone}"
        );
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
