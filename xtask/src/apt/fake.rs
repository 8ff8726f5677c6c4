//! An archive in a folder, for tests: suites with versions of one package, some of them in the index only.

use super::archive::{Archive, guest_of, own_codename};
use super::guest;
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
        let release = format!(
            "Suite: {suite}\nCodename: {suite}\nComponents: main\nArchitectures: arm64\n\
             Date: Sat, 24 Oct 2026 00:00:00 UTC\nSHA256:\n {} {} main/binary-arm64/Packages\n",
            sha256(&file),
            file.metadata().expect("there").len()
        );
        fs::write(dists.join("Release"), release).expect("written");
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

fn sha256(file: &Path) -> String {
    let text = proc::output(Command::new("sha256sum").arg(file)).expect("summed");
    text.split_whitespace().next().expect("a sum").to_owned()
}
