//! An archive in a folder, for tests: suites with versions of one package, some of them in the index only.

use super::archive::{Archive, guest_of, own_codename, source_of};
use super::{guest, source};
use crate::{paths, proc};
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An archive in a folder, which is a machine's mirror; it has a cache of its own.
pub struct Fake {
    dir: tempfile::TempDir,
}

const SID: Archive = guest_of("sid");
const TESTING: Archive = guest_of("testing");
const SOURCES: &[Archive] = &[source_of("sid"), source_of("testing")];

/// What of a source package is missing from the pool, though the index names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gone {
    Nothing,
    /// Its description.
    Dsc,
    All,
}

impl Fake {
    /// Makes an archive with the machine's own release, which is empty. `None` if the machine is no Debian.
    pub fn new() -> Option<Fake> {
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

    /// The path of the file or folder with this name.
    pub fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// Adds a suite with versions of the package `thing`. Those in `gone` are in the index only.
    pub fn suite(&self, top: &str, suite: &str, versions: &[&str], gone: &[&str]) {
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
        release(&dists, suite, "main/binary-arm64/Packages");
    }

    /// A suite with a version of the source package `thing`, whose file `what` says the version.
    pub fn source_suite(&self, top: &str, suite: &str, version: &str, gone: Gone) {
        let top = PathBuf::from(self.path(top));
        let (pool, dists) = (top.join("pool"), top.join("dists").join(suite));
        let index = dists.join("main/source");
        let tree = self.dir.path().join(format!("thing-{version}"));
        for dir in [&pool, &index, &tree, &tree.join("debian")] {
            fs::create_dir_all(dir).expect("made");
        }
        fs::write(tree.join("what"), version).expect("written");
        let tarball = |name: &str, content: &str| {
            let mut tar = Command::new("tar");
            tar.arg("-cJf").arg(pool.join(name));
            tar.arg("-C").arg(self.dir.path()).arg(content);
            proc::output(&mut tar).expect("packed");
        };
        let (orig, debian) = (
            format!("thing_{version}.orig.tar.xz"),
            format!("thing_{version}-1.debian.tar.xz"),
        );
        tarball(&orig, &format!("thing-{version}"));
        // It has one directory, `debian`.
        let changes = self.dir.path().join("debian/source");
        fs::create_dir_all(&changes).expect("made");
        fs::write(changes.join("format"), "3.0 (quilt)\n").expect("written");
        tarball(&debian, "debian");
        // dpkg-source wants the older sums, apt the newer.
        let sums = |names: &[&str]| {
            let lines = |program: &str| {
                let line = |name: &&str| {
                    let file = pool.join(name);
                    let size = file.metadata().expect("there").len();
                    format!("\n {} {size} {name}", sum(program, &file))
                };
                names.iter().map(line).collect::<String>()
            };
            format!(
                "Checksums-Sha256:{}\nFiles:{}\n",
                lines("sha256sum"),
                lines("md5sum")
            )
        };
        let head = format!(
            "Binary: thing\nArchitecture: any\nVersion: {version}-1\nMaintainer: n <n@n>\nFormat: 3.0 (quilt)\n"
        );
        let dsc = format!("thing_{version}-1.dsc");
        let text = format!("Source: thing\n{head}{}", sums(&[&orig, &debian]));
        fs::write(pool.join(&dsc), text).expect("written");
        let sources = index.join("Sources");
        let text = format!(
            "Package: thing\n{head}Directory: pool\n{}\n",
            sums(&[&dsc, &orig, &debian])
        );
        fs::write(&sources, text).expect("written");
        let missing: &[&String] = match gone {
            Gone::Nothing => &[],
            Gone::Dsc => &[&dsc],
            Gone::All => &[&dsc, &orig, &debian],
        };
        for name in missing {
            fs::remove_file(pool.join(name)).expect("removed");
        }
        release(&dists, suite, "main/source/Sources");
    }

    /// What the sources of these known versions turn out to be.
    ///
    /// # Errors
    /// As [`source`].
    pub fn get_source(&self, known: &[&str]) -> Result<String> {
        let (root, version) = source(SOURCES, "thing", known)?;
        let what = fs::read_to_string(root.join("what"))?;
        assert_eq!(version, format!("{what}-1"));
        Ok(what)
    }

    /// Gets the package, with these known versions; returns which one it was.
    ///
    /// # Errors
    /// See [`guest`].
    pub fn get(&self, known: &[&str]) -> Result<String> {
        let root = guest(&[SID, TESTING], "thing", known)?;
        Ok(fs::read_to_string(root.join("what"))?)
    }
}

/// Writes the release file of a suite that has one index.
fn release(dists: &Path, suite: &str, index: &str) {
    let file = dists.join(index);
    let text = format!(
        "Suite: {suite}\nCodename: {suite}\nComponents: main\nArchitectures: arm64\n\
         Date: Sat, 24 Oct 2026 00:00:00 UTC\nSHA256:\n {} {} {index}\n",
        sha256(&file),
        file.metadata().expect("there").len()
    );
    fs::write(dists.join("Release"), text).expect("written");
}

fn sha256(file: &Path) -> String {
    sum("sha256sum", file)
}

fn sum(program: &str, file: &Path) -> String {
    let text = proc::output(Command::new(program).arg(file)).expect("summed");
    text.split_whitespace().next().expect("a sum").to_owned()
}
