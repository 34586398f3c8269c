//! Where a system and its browsers keep the authorities they trust, and putting one of ours in and out.
//!
//! Each store is changed by its owner's own program, as its manual says. Only a certificate of exactly
//! this authority is ever taken out.
#![expect(
    clippy::disallowed_methods,
    reason = "stores are files of the system, changed by the system's own programs"
)]

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::model::Digest;

/// Where to look for stores.
#[derive(Debug, Clone)]
pub struct Places {
    /// What `/` is.
    pub root: PathBuf,
    /// The user's home, which has the stores of browsers.
    pub home: Option<PathBuf>,
    /// Folders of programs.
    pub programs: Vec<PathBuf>,
}

/// A place where authorities are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// What it is, such as `system` or `firefox`.
    pub name: String,
    form: Form,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// A folder of certificates, from which a program makes the bundle that everybody reads.
    System { anchors: PathBuf, bundle: PathBuf, update: PathBuf, words: &'static [&'static str] },
    /// A database of Mozilla's library, in a folder.
    Nss { folder: PathBuf, certutil: Option<PathBuf> },
}

/// Whether a store trusts an authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Trusted,
    /// The certificate is in its place, and the store has not taken it up.
    Pending,
    /// It does not.
    Absent,
    /// It cannot be asked; says why.
    Unknown(String),
}

/// What came of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was made.
    Made,
    /// There was nothing to do.
    Nothing,
    /// This user may not make it; has the command that does, as root.
    NeedsRoot(String),
    /// It failed; says how.
    Failed(String),
}

/// Folders of systems: anchors, bundle, program and its words.
const SYSTEMS: [(&str, &str, &str, &[&str]); 4] = [
    (
        "usr/local/share/ca-certificates",
        "etc/ssl/certs/ca-certificates.crt",
        "update-ca-certificates",
        &[],
    ),
    (
        "etc/pki/ca-trust/source/anchors",
        "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "update-ca-trust",
        &["extract"],
    ),
    (
        "etc/ca-certificates/trust-source/anchors",
        "etc/ca-certificates/extracted/tls-ca-bundle.pem",
        "update-ca-trust",
        &["extract"],
    ),
    (
        "etc/pki/trust/anchors",
        "var/lib/ca-certificates/ca-bundle.pem",
        "update-ca-certificates",
        &[],
    ),
];

/// Folders below the home that have databases of browsers, or folders with such.
const BROWSERS: [(&str, &str); 4] = [
    ("chromium", ".pki"),
    ("firefox", ".mozilla/firefox"),
    ("firefox (snap)", "snap/firefox/common/.mozilla/firefox"),
    ("firefox (flatpak)", ".var/app/org.mozilla.firefox/.mozilla/firefox"),
];

/// The file that makes a folder a database.
const DATABASE: &str = "cert9.db";

/// Returns the stores of this machine and user.
pub fn find(places: &Places) -> Vec<Store> {
    let mut stores = Vec::new();
    for (anchors, bundle, program, words) in SYSTEMS {
        let anchors = places.root.join(anchors);
        // The folder comes with the program, and an empty one may be missing.
        if let Some(update) = program_in(places, program)
            && anchors.parent().is_some_and(Path::is_dir)
        {
            let bundle = places.root.join(bundle);
            let form = Form::System { anchors, bundle, update, words };
            stores.push(Store { name: "system".to_owned(), form });
            break;
        }
    }
    let certutil = program_in(places, "certutil");
    for (name, place) in BROWSERS {
        let Some(home) = &places.home else { break };
        let inside = fs::read_dir(home.join(place)).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> =
            inside.map(|entry| entry.path()).filter(|path| path.join(DATABASE).is_file()).collect();
        folders.sort();
        stores.extend(folders.into_iter().map(|folder| {
            let form = Form::Nss { folder, certutil: certutil.clone() };
            Store { name: name.to_owned(), form }
        }));
    }
    stores
}

impl Store {
    /// Returns where it is.
    pub fn place(&self) -> &Path {
        match &self.form {
            Form::System { anchors, .. } => anchors,
            Form::Nss { folder, .. } => folder,
        }
    }

    /// Returns whether it trusts the authority of a certificate.
    pub fn standing(&self, pem: &str) -> Standing {
        match &self.form {
            Form::System { anchors, bundle, .. } => {
                let text = match fs::read_to_string(bundle) {
                    Ok(text) => text,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
                    Err(error) => {
                        return Standing::Unknown(format!("{}: {error}", bundle.display()));
                    }
                };
                let is_placed = anchors.join(file_name(pem)).is_file();
                match (bare(&text).contains(&bare(pem)), is_placed) {
                    (true, _) => Standing::Trusted,
                    (false, true) => Standing::Pending,
                    (false, false) => Standing::Absent,
                }
            }
            Form::Nss { certutil: None, .. } => {
                Standing::Unknown("certutil is missing; it is in libnss3-tools".to_owned())
            }
            Form::Nss { folder, certutil: Some(certutil) } => {
                let words = ["-L", "-n", &nickname(pem), "-a"].map(str::to_owned);
                match run(certutil, &nss(folder, &words)) {
                    Ok(there) if bare(&there).contains(&bare(pem)) => Standing::Trusted,
                    Ok(_) | Err(_) => Standing::Absent,
                }
            }
        }
    }

    /// Makes it trust the authority whose certificate is `pem`, in the file `source`.
    pub fn install(&self, pem: &str, source: &Path) -> Change {
        if self.standing(pem) == Standing::Trusted {
            return Change::Nothing;
        }
        match &self.form {
            Form::System { anchors, update, words, .. } => {
                let file = anchors.join(file_name(pem));
                let made = fs::create_dir_all(anchors).and_then(|()| fs::write(&file, pem));
                self.changed(made, update, words, || self.install_command(pem, source))
            }
            Form::Nss { certutil: None, .. } => missing_certutil(),
            Form::Nss { folder, certutil: Some(certutil) } => {
                let words = ["-A", "-t", "C,,", "-n", &nickname(pem), "-i", &text(source)];
                outcome(run(certutil, &nss(folder, &words.map(str::to_owned))))
            }
        }
    }

    /// Makes it trust the authority no more.
    pub fn uninstall(&self, pem: &str) -> Change {
        if self.standing(pem) == Standing::Absent {
            return Change::Nothing;
        }
        match &self.form {
            Form::System { anchors, update, words, .. } => {
                let file = anchors.join(file_name(pem));
                // The bundle is made of what is there; somebody else may have put the same in as well.
                let gone = match fs::remove_file(&file) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    gone => gone,
                };
                self.changed(gone, update, words, || self.uninstall_command(pem))
            }
            Form::Nss { certutil: None, .. } => missing_certutil(),
            Form::Nss { folder, certutil: Some(certutil) } => {
                let words = ["-D", "-n", &nickname(pem)].map(str::to_owned);
                outcome(run(certutil, &nss(folder, &words)))
            }
        }
    }

    /// Returns the commands that do what [`install`](Self::install) does.
    pub fn install_command(&self, pem: &str, source: &Path) -> String {
        match &self.form {
            Form::System { anchors, update, words, .. } => {
                let file = anchors.join(file_name(pem));
                let update = command(update, words);
                format!("sudo cp {} {} && sudo {update}", quoted(source), quoted(&file))
            }
            Form::Nss { folder, .. } => format!(
                "certutil -d sql:{} -A -t C,, -n '{}' -i {}",
                quoted(folder),
                nickname(pem),
                quoted(source)
            ),
        }
    }

    /// Returns the commands that do what [`uninstall`](Self::uninstall) does.
    pub fn uninstall_command(&self, pem: &str) -> String {
        match &self.form {
            Form::System { anchors, update, words, .. } => {
                let file = anchors.join(file_name(pem));
                format!("sudo rm {} && sudo {}", quoted(&file), command(update, words))
            }
            Form::Nss { folder, .. } => {
                format!("certutil -d sql:{} -D -n '{}'", quoted(folder), nickname(pem))
            }
        }
    }

    /// Lets the system take up what was changed in its folder.
    fn changed(
        &self,
        files: io::Result<()>,
        update: &Path,
        words: &[&str],
        by_root: impl FnOnce() -> String,
    ) -> Change {
        match files {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Change::NeedsRoot(by_root());
            }
            Err(error) => return Change::Failed(format!("{}: {error}", self.place().display())),
            Ok(()) => {}
        }
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        outcome(run(update, &words))
    }
}

fn outcome(ran: Result<String, String>) -> Change {
    match ran {
        Ok(_) => Change::Made,
        Err(why) => Change::Failed(why),
    }
}

fn missing_certutil() -> Change {
    Change::Failed("certutil is missing: sudo apt install libnss3-tools".to_owned())
}

/// Runs a program and returns what it printed, or what it complained of.
fn run(program: &Path, words: &[String]) -> Result<String, String> {
    let failed = |why: String| format!("{}: {why}", program.display());
    let output = Command::new(program).args(words).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    Err(failed(last.map_or_else(|| output.status.to_string(), |line| line.trim().to_owned())))
}

fn nss(folder: &Path, words: &[String]) -> Vec<String> {
    let database = ["-d".to_owned(), format!("sql:{}", folder.display())];
    database.into_iter().chain(words.iter().cloned()).collect()
}

fn program_in(places: &Places, name: &str) -> Option<PathBuf> {
    places.programs.iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Ours by name: of one authority there is one name, and of two there are two.
fn file_name(pem: &str) -> String {
    format!("nself-{}.crt", Digest::of(bare(pem).as_bytes()).short())
}

fn nickname(pem: &str) -> String {
    format!("nself local authority {}", Digest::of(bare(pem).as_bytes()).short())
}

/// Returns the letters of certificates without how they are broken into lines.
fn bare(pem: &str) -> String {
    pem.split_whitespace().collect()
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn quoted(path: &Path) -> String {
    let text = text(path);
    let plain = |c: char| c.is_alphanumeric() || "-_./".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn command(program: &Path, words: &[&str]) -> String {
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    std::iter::once(name.as_str()).chain(words.iter().copied()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\nBBBB\n-----END CERTIFICATE-----\n";
    const OTHER: &str = "-----BEGIN CERTIFICATE-----\nCCCC\n-----END CERTIFICATE-----\n";

    /// A machine whose programs are small scripts that do what the real ones do.
    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new(programs: &[(&str, &str)], folders: &[&str]) -> Self {
            let machine = Self(tempfile::tempdir().unwrap());
            for folder in folders.iter().chain(&["bin", "home"]) {
                fs::create_dir_all(machine.path(folder)).unwrap();
            }
            for (name, script) in programs {
                let path = machine.path("bin").join(name);
                let root = machine.0.path().display();
                fs::write(&path, format!("#!/bin/sh\nROOT={root}\n{script}\n")).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            }
            machine
        }

        fn path(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn stores(&self) -> Vec<Store> {
            find(&Places {
                root: self.0.path().to_owned(),
                home: Some(self.path("home")),
                programs: vec![self.path("bin")],
            })
        }
    }

    const DEBIAN: &[&str] = &["usr/local/share/ca-certificates", "etc/ssl/certs"];
    const UPDATE: (&str, &str) = (
        "update-ca-certificates",
        "cat $ROOT/usr/local/share/ca-certificates/*.crt > $ROOT/etc/ssl/certs/ca-certificates.crt || true",
    );

    #[test]
    fn a_system_takes_ours_in_and_out_and_keeps_the_rest() {
        let machine = Machine::new(&[UPDATE], DEBIAN);
        let others = machine.path("usr/local/share/ca-certificates/company.crt");
        fs::write(&others, OTHER).unwrap();
        let [store] = machine.stores().try_into().unwrap();
        let source = machine.path("ca.pem");
        assert_eq!(store.standing(PEM), Standing::Absent);
        assert_eq!(store.install(PEM, &source), Change::Made);
        assert_eq!(store.standing(PEM), Standing::Trusted);
        assert_eq!(store.install(PEM, &source), Change::Nothing);
        assert_eq!(store.uninstall(PEM), Change::Made);
        assert_eq!(store.standing(PEM), Standing::Absent);
        assert_eq!(store.uninstall(PEM), Change::Nothing);
        assert_eq!(fs::read_to_string(&others).unwrap(), OTHER);
        assert_eq!(fs::read_dir(others.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_only_put_down_is_pending_and_failures_are_told() {
        let broken = ("update-ca-certificates", "echo no disk >&2; exit 1");
        let machine = Machine::new(&[broken], DEBIAN);
        let [store] = machine.stores().try_into().unwrap();
        let change = store.install(PEM, Path::new("ca.pem"));
        assert!(matches!(&change, Change::Failed(why) if why.ends_with("no disk")), "{change:?}");
        assert_eq!(store.standing(PEM), Standing::Pending);
    }

    #[test]
    fn commands_can_be_typed_as_they_stand() {
        let machine =
            Machine::new(&[("update-ca-trust", "")], &["etc/pki/ca-trust/source/anchors"]);
        let [store] = machine.stores().try_into().unwrap();
        let install = store.install_command(PEM, Path::new("/home/a b/ca.pem"));
        let name = file_name(PEM);
        let folder = machine.path("etc/pki/ca-trust/source/anchors");
        let expected = format!(
            "sudo cp '/home/a b/ca.pem' {0}/{name} && sudo update-ca-trust extract",
            folder.display()
        );
        assert_eq!(install, expected);
        assert_ne!(file_name(PEM), file_name(OTHER));
        // Line ends do not make another authority.
        assert_eq!(file_name(PEM), file_name(&PEM.replace('\n', "\r\n")));
    }

    #[test]
    fn browsers_are_asked_by_their_own_program() {
        // It keeps each certificate in a file named after it.
        let certutil = (
            "certutil",
            r#"dir=${2#sql:}; shift 2
            case $1 in
              -A) cp "$7" "$dir/$5" ;;
              -L) cat "$dir/$3" ;;
              -D) rm "$dir/$3" ;;
            esac"#,
        );
        let profile = "home/.mozilla/firefox/x.default";
        let machine = Machine::new(&[certutil], &[profile, "home/.pki/nssdb"]);
        fs::write(machine.path(profile).join(DATABASE), "").unwrap();
        let source = machine.path("ca.pem");
        fs::write(&source, PEM).unwrap();
        // A folder without a database is none.
        let [store] = machine.stores().try_into().unwrap();
        assert_eq!((store.name.as_str(), store.standing(PEM)), ("firefox", Standing::Absent));
        assert_eq!(store.install(PEM, &source), Change::Made);
        assert_eq!(store.standing(PEM), Standing::Trusted);
        assert_eq!(store.standing(OTHER), Standing::Absent);
        assert_eq!(store.uninstall(PEM), Change::Made);
        assert_eq!(store.standing(PEM), Standing::Absent);
    }

    #[test]
    fn a_machine_without_any_of_it_has_no_stores() {
        assert_eq!(Machine::new(&[], DEBIAN).stores(), []);
        let machine = Machine::new(&[], &["home/.pki/nssdb"]);
        fs::write(machine.path("home/.pki/nssdb").join(DATABASE), "").unwrap();
        let [store] = machine.stores().try_into().unwrap();
        assert!(matches!(store.standing(PEM), Standing::Unknown(_)));
        assert!(matches!(store.install(PEM, Path::new("x")), Change::Failed(_)));
    }
}
