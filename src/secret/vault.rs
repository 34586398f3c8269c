//! What is in the vault, and how it gets there.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rand::{RngExt as _, distr::Alphanumeric};
use serde::{Deserialize, Serialize};

use super::{
    Error,
    file::{self, Lock, Mode},
};
use crate::{
    desired::SecretNeed,
    model::{Fingerprint, Keyring, SecretName, Sensitive},
};

/// The form of the file that this nself writes.
const FORM: u32 = 1;

const HEAD: &str = "# The secrets of this project, kept by nself. Keep this file private, and keep a copy \
                    of it:\n# without it nself cannot change what it once set up.\n";

/// A project's secrets on disk.
pub struct Vault {
    folder: PathBuf,
    content: Option<Content>,
}

/// What the file says.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    form: u32,
    /// The key of fingerprints.
    key: String,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The PEM chain, leaf first.
    pub chain: Sensitive,
    /// The PEM key.
    pub key: Sensitive,
}

/// One secret, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: SecretName,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Vault {
    /// Opens the vault in `folder`. Where there is none, it is empty and nothing is written.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let mut vault = Self { folder: folder.to_owned(), content: None };
        vault.content = vault.read()?;
        Ok(vault)
    }

    /// Returns the file that holds the secrets, whether it is there or not.
    pub fn path(&self) -> PathBuf {
        self.folder.join("secrets.toml")
    }

    /// Returns the secrets, for use.
    pub fn keyring(&self) -> Keyring {
        let Some(Content { form: _, key, secrets }) = &self.content else {
            return Keyring::default();
        };
        let secrets = secrets
            .iter()
            .filter_map(|(name, value)| Some((SecretName::new(name).ok()?, Sensitive::new(value))));
        Keyring::new(Some(Sensitive::new(key)), secrets.collect())
    }

    /// Returns each secret with its fingerprint.
    pub fn list(&self) -> Vec<Entry> {
        let keyring = self.keyring();
        let entry = |name: &SecretName| {
            let fingerprint = keyring.fingerprint(keyring.get(name)?.expose())?;
            Some(Entry { name: name.clone(), fingerprint })
        };
        keyring.names().filter_map(entry).collect()
    }

    /// Returns what is wrong with the vault's permissions, in sentences.
    pub fn warnings(&self) -> Vec<String> {
        let open = |path: &Path, wanted: u32| {
            let bits = file::too_open(path)?;
            let path = path.display();
            Some(format!(
                "{path} has mode {bits:04o}, so others may read secrets; run: chmod {wanted:04o} {path}"
            ))
        };
        [open(&self.folder, 0o700), open(&self.path(), 0o600)].into_iter().flatten().collect()
    }

    /// Makes whatever of `needs` is not there, and returns the names of what it made. `issue` is asked
    /// for each certificate, with the host names and what there is; it returns a new pair, or `None`
    /// when what there is will do.
    ///
    /// Fails before anything is written when a person must give one.
    pub fn ensure(
        &mut self,
        needs: &BTreeMap<SecretName, SecretNeed>,
        mut issue: impl FnMut(
            &[String],
            Option<&Pair>,
        ) -> Result<Option<Pair>, Box<dyn std::error::Error + Send + Sync>>,
    ) -> Result<Vec<SecretName>, Error> {
        self.change(|content| {
            let missing = needs.iter().filter_map(|(name, need)| match need {
                SecretNeed::Given { origin } if !content.secrets.contains_key(name.as_str()) => {
                    Some((name.clone(), origin.clone()))
                }
                SecretNeed::Given { .. }
                | SecretNeed::Random { .. }
                | SecretNeed::CertificateChain { .. }
                | SecretNeed::CertificateKey => None,
            });
            let missing: Vec<_> = missing.collect();
            if !missing.is_empty() {
                return Err(Error::Missing(missing));
            }
            let mut made = Vec::new();
            for (name, need) in needs {
                match need {
                    SecretNeed::Random { length } => {
                        if !content.secrets.contains_key(name.as_str()) {
                            let value = random(usize::from(*length));
                            content.secrets.insert(name.to_string(), value);
                            made.push(name.clone());
                        }
                    }
                    SecretNeed::CertificateChain { hosts, key } => {
                        let get = |name: &SecretName| {
                            content.secrets.get(name.as_str()).map(Sensitive::new)
                        };
                        let there = get(name).zip(get(key)).map(|(chain, key)| Pair { chain, key });
                        let issued = issue(hosts, there.as_ref()).map_err(|source| {
                            Error::Certificate { hosts: hosts.clone(), source }
                        })?;
                        if let Some(Pair { chain, key: value }) = issued {
                            content.secrets.insert(name.to_string(), chain.expose().to_owned());
                            content.secrets.insert(key.to_string(), value.expose().to_owned());
                            made.extend([name.clone(), key.clone()]);
                        }
                    }
                    // A given one is there, and a key comes with its chain.
                    SecretNeed::Given { .. } | SecretNeed::CertificateKey => {}
                }
            }
            Ok(made)
        })
    }

    /// Sets a secret to a value that a person gives.
    pub fn set(&mut self, name: &SecretName, value: &Sensitive) -> Result<(), Error> {
        self.change(|content| {
            content.secrets.insert(name.to_string(), value.expose().to_owned());
            Ok(())
        })
    }

    /// Changes what is on disk now, which may be more than what was there when the vault was opened.
    fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Content) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let lock = Lock::take(&self.folder)?;
        let before = self.read()?;
        let mut content = before.clone().unwrap_or_else(|| Content {
            form: FORM,
            key: random(43),
            secrets: BTreeMap::new(),
        });
        let result = change(&mut content)?;
        if before.as_ref().is_none_or(|before| before.secrets != content.secrets) {
            // Whoever puts the whole folder under version control gets nothing of it.
            file::replace(&self.folder.join(".gitignore"), "*\n", Mode::Private, &lock)?;
            let text = toml::to_string(&content).expect("a table of strings is always TOML");
            file::replace(&self.path(), &format!("{HEAD}{text}"), Mode::Private, &lock)?;
        }
        self.content = Some(content);
        Ok(result)
    }

    fn read(&self) -> Result<Option<Content>, Error> {
        let path = self.path();
        let Some(text) = file::read(&path)? else { return Ok(None) };
        let damaged = |path: &Path, span: Option<std::ops::Range<usize>>| {
            // Only the line: the parser's own words quote what stands there.
            let start = span.map_or(0, |span| span.start).min(text.len());
            let line = text.get(..start).map_or(0, |before| before.matches('\n').count()) + 1;
            Error::Damaged { path: path.to_owned(), line }
        };
        // The form is read by itself first, since a newer one may have keys that are unknown here.
        let table: toml::Table =
            toml::from_str(&text).map_err(|error| damaged(&path, error.span()))?;
        let form = table.get("form").and_then(toml::Value::as_integer);
        match form.and_then(|form| u32::try_from(form).ok()) {
            Some(found) if found > FORM => Err(Error::Newer { path, found, known: FORM }),
            Some(_) => toml::from_str(&text)
                .map(Some)
                .map_err(|error: toml::de::Error| damaged(&path, error.span())),
            None => Err(damaged(&path, None)),
        }
    }
}

/// Returns so many random letters and digits, which need no quoting anywhere.
fn random(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the disk behind the room's back")]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;
    use crate::model::Origin;

    fn name(text: &str) -> SecretName {
        SecretName::new(text).unwrap()
    }

    fn random_needs() -> BTreeMap<SecretName, SecretNeed> {
        BTreeMap::from([(name("db"), SecretNeed::Random { length: 40 })])
    }

    #[test]
    fn secrets_are_made_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join(".nself");
        let mut vault = Vault::open(&folder).unwrap();
        assert!(!vault.keyring().is_present());
        assert!(!folder.exists(), "opening writes nothing");
        // Another process makes it in the meantime.
        let made = Vault::open(&folder).unwrap().ensure(&random_needs(), |_, _| Ok(None)).unwrap();
        assert_eq!(made, [name("db")]);
        assert!(vault.ensure(&random_needs(), |_, _| Ok(None)).unwrap().is_empty());
        vault.set(&name("mail"), &Sensitive::new("a\"b\nc")).unwrap();

        let again = Vault::open(&folder).unwrap();
        assert_eq!(again.keyring().get(&name("db")).unwrap().expose().len(), 40);
        assert_eq!(again.keyring().get(&name("mail")).unwrap().expose(), "a\"b\nc");
        assert_eq!(again.list(), vault.list());
        assert_eq!(again.warnings(), Vec::<String>::new());
    }

    #[test]
    fn missing_secrets_are_named_before_anything_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = Vault::open(folder.path()).unwrap();
        let mut needs = random_needs();
        needs.insert(name("smtp"), SecretNeed::Given { origin: Origin::Default });
        let error = vault.ensure(&needs, |_, _| Ok(None)).unwrap_err();
        assert_eq!(error.to_string(), "no value for the secret smtp (default)");
        assert!(!vault.path().exists());
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = Vault::open(folder.path()).unwrap();
        let hosts = vec!["a.localhost".to_owned()];
        let need = SecretNeed::CertificateChain { hosts, key: name("tls_key") };
        let needs = BTreeMap::from([
            (name("tls_chain"), need),
            (name("tls_key"), SecretNeed::CertificateKey),
        ]);
        let pair = Pair { chain: Sensitive::new("chain"), key: Sensitive::new("key") };
        let issue = |_: &[String], there: Option<&Pair>| Ok(there.is_none().then(|| pair.clone()));
        assert_eq!(vault.ensure(&needs, issue).unwrap().len(), 2);
        assert_eq!(vault.ensure(&needs, issue).unwrap().len(), 0);
        assert_eq!(vault.keyring().get(&name("tls_key")).unwrap().expose(), "key");
    }

    #[test]
    fn a_damaged_vault_is_left_as_it_is_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        for (text, line) in [
            ("form = 1\nkey = \"k\"\n[secrets]\ndb = \"hush", 4),
            ("form = 1\nkey = \"k\"\n[secrets]\ndb = [\"hush\"]\n", 4),
            ("hush", 1),
            ("", 1),
        ] {
            fs::write(&path, text).unwrap();
            let error = Vault::open(folder.path()).unwrap_err();
            assert!(matches!(&error, Error::Damaged { line: l, .. } if *l == line), "{error}");
            assert!(!format!("{error} {error:?}").contains("hush"));
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        fs::write(&path, "form = 9\nnew = true").unwrap();
        assert!(matches!(Vault::open(folder.path()), Err(Error::Newer { found: 9, .. })));
    }

    #[test]
    fn open_permissions_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = Vault::open(&folder.path().join(".nself")).unwrap();
        vault.set(&name("a"), &Sensitive::new("b")).unwrap();
        fs::set_permissions(vault.path(), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(vault.warnings().len(), 1);
        assert!(vault.warnings()[0].contains("mode 0644"));
    }
}
