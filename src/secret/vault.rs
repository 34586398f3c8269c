//! What is in the vault, and how it gets there.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    Error, Seal, Way,
    content::{self, Content, FORM, Held, Unreadable, random},
    file::{self, Lock, Mode},
};
use crate::{
    desired::SecretNeed,
    model::{Fingerprint, Keyring, SecretName, Sensitive},
};

/// A project's secrets on disk.
pub struct Vault {
    folder: PathBuf,
    seal: Seal,
    content: Option<Content>,
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
    /// The fingerprint of the value in use.
    pub fingerprint: Fingerprint,
    /// Since when, in milliseconds since 1970; `None` when an older nself did not write it down.
    pub since: Option<u64>,
    /// How the value came.
    pub how: Way,
    /// The fingerprint of the value that is to take its place at the next apply.
    pub pending: Option<Fingerprint>,
    /// How many values from before are kept.
    pub earlier: usize,
}

/// What came of going back to values from before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Secrets that have another value now, the one asked for.
    pub restored: Vec<SecretName>,
    /// Secrets whose value of then is not kept any more, or never was here. They stay as they are.
    pub lost: Vec<SecretName>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Vault {
    /// Opens the vault in `folder`, which is not encrypted. Where there is none, it is empty and nothing
    /// is written.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Self::sealed(folder, Seal::default())
    }

    /// Opens the vault in `folder`, which is written encrypted if `seal` says so.
    pub fn sealed(folder: &Path, seal: Seal) -> Result<Self, Error> {
        let mut vault = Self { folder: folder.to_owned(), seal, content: None };
        vault.content = vault.read()?;
        Ok(vault)
    }

    /// Returns the file that holds the secrets, whether it is there or not.
    pub fn path(&self) -> PathBuf {
        if self.is_sealed() { self.sealed_path() } else { self.plain_path() }
    }

    /// Returns whether the secrets lie in an encrypted file, or would.
    pub fn is_sealed(&self) -> bool {
        self.sealed_path().exists() || (self.seal.is_wanted() && !self.plain_path().exists())
    }

    /// Returns whether the file is encrypted although it should not be, or the other way round.
    pub fn is_to_move(&self) -> bool {
        self.content.is_some() && self.is_sealed() != self.seal.is_wanted()
    }

    /// Returns whether the file is to be encrypted.
    pub fn is_wanted_sealed(&self) -> bool {
        self.seal.is_wanted()
    }

    /// Writes the file anew, encrypted to those it is for now or not at all, whatever it was.
    pub fn write_anew(&mut self) -> Result<(), Error> {
        let lock = Lock::take(&self.folder)?;
        let Some(mut content) = self.read()? else { return Ok(()) };
        content.written += 1;
        self.write(&content, &lock)?;
        self.content = Some(content);
        Ok(())
    }

    fn plain_path(&self) -> PathBuf {
        self.folder.join("secrets.toml")
    }

    fn sealed_path(&self) -> PathBuf {
        self.folder.join("secrets.toml.age")
    }

    /// Returns the secrets, for use: of each the value that is to be delivered.
    pub fn keyring(&self) -> Keyring {
        self.content.as_ref().map_or_else(Keyring::default, Content::keyring)
    }

    /// Returns the fingerprint of each secret that is to be delivered.
    pub fn fingerprints(&self) -> BTreeMap<SecretName, Fingerprint> {
        let keyring = self.keyring();
        let fingerprint = |name: &SecretName| {
            Some((name.clone(), keyring.fingerprint(keyring.get(name)?.expose())?))
        };
        keyring.names().filter_map(fingerprint).collect()
    }

    /// Returns each secret with its fingerprint.
    pub fn list(&self) -> Vec<Entry> {
        let Some(content) = &self.content else { return Vec::new() };
        let keyring = self.keyring();
        let entry = |(name, secret): (&String, &content::Secret)| {
            Some(Entry {
                name: SecretName::new(name).ok()?,
                fingerprint: keyring.fingerprint(&secret.now.value)?,
                since: Some(secret.now.since).filter(|since| *since > 0),
                how: secret.now.how,
                pending: secret.pending.as_ref().and_then(|held| keyring.fingerprint(&held.value)),
                earlier: secret.earlier.len(),
            })
        };
        content.secrets.iter().filter_map(entry).collect()
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
    /// when what there is will do. `now` is in milliseconds since 1970.
    ///
    /// Fails before anything is written when a person must give one.
    pub fn ensure(
        &mut self,
        needs: &BTreeMap<SecretName, SecretNeed>,
        now: u64,
        mut issue: impl FnMut(
            &[String],
            Option<&Pair>,
        ) -> Result<Option<Pair>, Box<dyn std::error::Error + Send + Sync>>,
    ) -> Result<Vec<SecretName>, Error> {
        self.change(|content| {
            let missing = needs.iter().filter_map(|(name, need)| match need {
                SecretNeed::Given { origin } if content.get(name.as_str()).is_none() => {
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
                        if content.get(name.as_str()).is_none() {
                            let value = random(usize::from(*length));
                            let held = Held { value, since: now, how: Way::Generated };
                            content.put(name.as_str(), held);
                            made.push(name.clone());
                        }
                    }
                    SecretNeed::CertificateChain { hosts, key } => {
                        let get =
                            |name: &SecretName| content.get(name.as_str()).map(Sensitive::new);
                        let there = get(name).zip(get(key)).map(|(chain, key)| Pair { chain, key });
                        let issued = issue(hosts, there.as_ref()).map_err(|source| {
                            Error::Certificate { hosts: hosts.clone(), source }
                        })?;
                        if let Some(pair) = issued {
                            for (name, value) in [(name, pair.chain), (key, pair.key)] {
                                let value = value.expose().to_owned();
                                let held = Held { value, since: now, how: Way::Issued };
                                content.put(name.as_str(), held);
                                made.push(name.clone());
                            }
                        }
                    }
                    // A given one is there, and a key comes with its chain.
                    SecretNeed::Given { .. } | SecretNeed::CertificateKey => {}
                }
            }
            Ok(made)
        })
    }

    /// Sets a secret to a value that a person gives. One that has a value gets the new one at the next
    /// apply, and keeps the old one until that is done.
    pub fn set(&mut self, name: &SecretName, value: &Sensitive, now: u64) -> Result<(), Error> {
        let held = Held { value: value.expose().to_owned(), since: now, how: Way::Given };
        self.change(|content| {
            plan_to_use(content, name, held);
            Ok(())
        })
    }

    /// Makes new random values, of these lengths in characters, for secrets that have one. They take
    /// the place of the old ones at the next apply.
    pub fn rotate(&mut self, names: &BTreeMap<SecretName, u16>, now: u64) -> Result<(), Error> {
        self.change(|content| {
            for (name, length) in names {
                let value = random(usize::from(*length));
                plan_to_use(content, name, Held { value, since: now, how: Way::Rotated });
            }
            Ok(())
        })
    }

    /// Puts pending values into use, now that they are delivered everywhere; the old ones are kept.
    /// Returns the names of those that were pending. What is pending since `delivered` was taken from
    /// the vault stays so.
    pub fn settle(
        &mut self,
        names: &[SecretName],
        delivered: &Keyring,
    ) -> Result<Vec<SecretName>, Error> {
        self.change(|content| Ok(of_those(content, names, delivered, content::Secret::settle)))
    }

    /// Takes pending values away, so that those in use stay. Returns the names of those that were
    /// pending. What is pending since `known` was taken from the vault stays so.
    pub fn abandon(
        &mut self,
        names: &[SecretName],
        known: &Keyring,
    ) -> Result<Vec<SecretName>, Error> {
        self.change(|content| Ok(of_those(content, names, known, content::Secret::abandon)))
    }

    /// Returns the secrets that have a pending value.
    pub fn pending(&self) -> Vec<SecretName> {
        let pending = |entry: Entry| entry.pending.is_some().then_some(entry.name);
        self.list().into_iter().filter_map(pending).collect()
    }

    /// Puts values into use that were read back from where they had been delivered, with how often each
    /// has changed. `now` is in milliseconds since 1970.
    pub fn recover(
        &mut self,
        values: &BTreeMap<SecretName, Sensitive>,
        turns: &BTreeMap<SecretName, u32>,
        now: u64,
    ) -> Result<(), Error> {
        self.change(|content| {
            for (name, value) in values {
                let value = value.expose().to_owned();
                content.put(name.as_str(), Held { value, since: now, how: Way::Recovered });
                if let Some(secret) = content.secrets.get_mut(name.as_str()) {
                    secret.turn = turns.get(name).copied().unwrap_or(secret.turn);
                }
            }
            Ok(())
        })
    }

    /// Goes back to the values with these fingerprints, as far as they are kept. Secrets that are not
    /// named stay as they are. `now` is in milliseconds since 1970.
    pub fn restore(
        &mut self,
        wanted: &BTreeMap<SecretName, Fingerprint>,
        now: u64,
    ) -> Result<Restored, Error> {
        if self.content.is_none() {
            return Ok(Restored { restored: Vec::new(), lost: wanted.keys().cloned().collect() });
        }
        self.change(|content| Ok(content.restore(wanted, now)))
    }

    /// Returns what [`restore`](Self::restore) would make of the secrets, and changes nothing.
    pub fn restored(&self, wanted: &BTreeMap<SecretName, Fingerprint>) -> (Keyring, Restored) {
        let mut content = self.content.clone();
        let restored = match &mut content {
            Some(content) => content.restore(wanted, 0),
            None => Restored { restored: Vec::new(), lost: wanted.keys().cloned().collect() },
        };
        let keyring = content.as_ref().map_or_else(Keyring::default, Content::keyring);
        (keyring, restored)
    }

    /// Changes what is on disk now, which may be more than what was there when the vault was opened.
    fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Content) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let lock = Lock::take(&self.folder)?;
        let before = self.read()?;
        let mut content = before.clone().unwrap_or_else(Content::new);
        let result = change(&mut content)?;
        if before.as_ref() != Some(&content) {
            if self.sealed_path().exists() && !self.seal.is_wanted() {
                return Err(Error::NoRecipients { path: self.sealed_path() });
            }
            content.written += 1;
            self.write(&content, &lock)?;
        }
        self.content = Some(content);
        Ok(result)
    }

    /// Writes the one file, and then removes the other.
    fn write(&self, content: &Content, lock: &Lock) -> Result<(), Error> {
        let (plain, sealed) = (self.plain_path(), self.sealed_path());
        // Whoever puts the whole folder under version control gets nothing of it.
        file::replace(&self.folder.join(".gitignore"), "*\n", Mode::Private, lock)?;
        if self.seal.is_wanted() {
            let text = self.seal.close(&content.to_text(), &sealed)?;
            file::replace(&sealed, &text, Mode::Private, lock)?;
            // Also what a try that was cut off may have left of it.
            file::remove(&plain.with_extension("new"), lock)?;
            return file::remove(&plain, lock);
        }
        file::replace(&plain, &content.to_text(), Mode::Private, lock)?;
        file::remove(&sealed, lock)
    }

    /// Reads what is there. A move that was cut off leaves two files, of which the later one holds.
    fn read(&self) -> Result<Option<Content>, Error> {
        let (plain, sealed) = (self.plain_path(), self.sealed_path());
        let text = file::read(&plain)?;
        let plain = text.map(|text| Self::parse(&text, plain)).transpose()?;
        let text = file::read(&sealed)?;
        let text = text.map(|text| self.seal.open(&text, &sealed)).transpose()?;
        let sealed = text.map(|text| Self::parse(&text, sealed)).transpose()?;
        Ok(match (plain, sealed) {
            (Some(plain), Some(sealed)) if plain.written > sealed.written => Some(plain),
            (plain, sealed) => sealed.or(plain),
        })
    }

    fn parse(text: &str, path: PathBuf) -> Result<Content, Error> {
        match Content::parse(text) {
            Ok(content) => Ok(content),
            Err(Unreadable::Damaged(line)) => Err(Error::Damaged { path, line }),
            Err(Unreadable::Newer(found)) => Err(Error::Newer { path, found, known: FORM }),
        }
    }
}

/// Makes `held` the value that a secret is to have. The first value of all is in use at once.
fn plan_to_use(content: &mut Content, name: &SecretName, held: Held) {
    match content.secrets.get_mut(name.as_str()) {
        None => content.put(name.as_str(), held),
        Some(secret) if secret.now.value == held.value => {
            secret.abandon();
        }
        Some(secret) => secret.pending = Some(held),
    }
}

/// Does something to the secrets of these names whose value is still the known one, and returns those to
/// which it did.
fn of_those(
    content: &mut Content,
    names: &[SecretName],
    known: &Keyring,
    act: impl Fn(&mut content::Secret) -> bool,
) -> Vec<SecretName> {
    let mut act = |name: &&SecretName| {
        let is_known = content.get(name.as_str()) == known.get(name).map(Sensitive::expose);
        is_known && content.secrets.get_mut(name.as_str()).is_some_and(&act)
    };
    names.iter().filter(|name| act(name)).cloned().collect()
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
        let made =
            Vault::open(&folder).unwrap().ensure(&random_needs(), 5, |_, _| Ok(None)).unwrap();
        assert_eq!(made, [name("db")]);
        assert!(vault.ensure(&random_needs(), 5, |_, _| Ok(None)).unwrap().is_empty());
        vault.set(&name("mail"), &Sensitive::new("a\"b\nc"), 5).unwrap();

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
        let error = vault.ensure(&needs, 5, |_, _| Ok(None)).unwrap_err();
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
        assert_eq!(vault.ensure(&needs, 5, issue).unwrap().len(), 2);
        assert_eq!(vault.ensure(&needs, 5, issue).unwrap().len(), 0);
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
        vault.set(&name("a"), &Sensitive::new("b"), 5).unwrap();
        fs::set_permissions(vault.path(), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(vault.warnings().len(), 1);
        assert!(vault.warnings()[0].contains("mode 0644"));
    }

    #[test]
    fn form_1_is_read_and_written_anew_at_the_next_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        let old = "form = 1\nkey = \"k\"\n[secrets]\ndb = \"hush\"\n";
        fs::write(&path, old).unwrap();
        let mut vault = Vault::open(folder.path()).unwrap();
        assert_eq!(vault.keyring().get(&name("db")).unwrap().expose(), "hush");
        assert_eq!((vault.list()[0].since, vault.list()[0].how), (None, Way::Unknown));
        assert_eq!(fs::read_to_string(&path).unwrap(), old);
        vault.set(&name("mail"), &Sensitive::new("x"), 7).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("form = 2"));
        let again = Vault::open(folder.path()).unwrap();
        assert_eq!(again.list(), vault.list());
        assert_eq!(again.fingerprints(), vault.fingerprints());
    }

    #[test]
    fn a_new_value_waits_until_it_is_everywhere() {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = Vault::open(folder.path()).unwrap();
        let db = name("db");
        let turn = |vault: &Vault| vault.keyring().turns()[&name("db")];
        let known = |vault: &Vault| vault.keyring();
        let settle = |vault: &mut Vault| vault.settle(&[name("db")], &known(vault));
        let abandon = |vault: &mut Vault| vault.abandon(&[name("db")], &known(vault));
        let is = |vault: &Vault| vault.keyring().get(&name("db")).unwrap().expose().to_owned();
        vault.set(&db, &Sensitive::new("one"), 1).unwrap();
        assert_eq!((vault.pending(), turn(&vault)), (vec![], 0));

        vault.set(&db, &Sensitive::new("two"), 2).unwrap();
        assert_eq!((is(&vault), vault.pending()), ("two".into(), vec![db.clone()]));
        assert_eq!(turn(&vault), 1);
        assert_eq!(abandon(&mut vault).unwrap(), std::slice::from_ref(&db));
        assert_eq!((is(&vault), turn(&vault)), ("one".into(), 2));

        vault.rotate(&BTreeMap::from([(db.clone(), 40)]), 3).unwrap();
        let rotated = is(&vault);
        assert_eq!(settle(&mut vault).unwrap(), std::slice::from_ref(&db));
        assert_eq!(settle(&mut vault).unwrap(), [] as [SecretName; 0]);
        let again = Vault::open(folder.path()).unwrap();
        assert_eq!((is(&again), turn(&again)), (rotated, 3));
        let entry = &again.list()[0];
        assert_eq!((entry.how, entry.since, entry.earlier), (Way::Rotated, Some(3), 1));
        // What was valid before is struck out of whatever is shown, too.
        let long = "a long one from before";
        vault.set(&db, &Sensitive::new(long), 4).unwrap();
        settle(&mut vault).unwrap();
        vault.rotate(&BTreeMap::from([(db, 40)]), 5).unwrap();
        assert_eq!(vault.keyring().scrub(&format!("bad login {long}")), "bad login (secret)");
    }

    #[test]
    fn values_from_before_come_back_as_far_as_they_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = Vault::open(folder.path()).unwrap();
        let db = name("db");
        vault.set(&name("other"), &Sensitive::new("x"), 1).unwrap();
        let mut seen = Vec::new();
        for number in 0..12 {
            vault.set(&db, &Sensitive::new(format!("value {number}")), number).unwrap();
            vault.settle(std::slice::from_ref(&db), &vault.keyring()).unwrap();
            seen.push(BTreeMap::from([(db.clone(), vault.fingerprints()[&db].clone())]));
        }
        let nothing = Restored::default();
        assert_eq!(vault.restore(&seen[11], 20).unwrap(), nothing);
        let lost = Restored { restored: vec![], lost: vec![db.clone()] };
        assert_eq!(vault.restore(&seen[2], 20).unwrap(), lost);
        let back = Restored { restored: vec![db.clone()], lost: vec![] };
        assert_eq!(vault.restore(&seen[3], 20).unwrap(), back);
        assert_eq!(vault.keyring().get(&db).unwrap().expose(), "value 3");
        assert_eq!(vault.restore(&seen[11], 21).unwrap(), back);
        // A value that was never delivered gives way, too.
        vault.rotate(&BTreeMap::from([(db.clone(), 40)]), 22).unwrap();
        assert_eq!(vault.restore(&seen[11], 23).unwrap(), back);
        assert_eq!(
            (vault.fingerprints()[&db].clone(), vault.pending()),
            (seen[11][&db].clone(), vec![])
        );
        let unknown = BTreeMap::from([(name("gone"), Fingerprint::stored("00"))]);
        assert_eq!(vault.restore(&unknown, 24).unwrap().lost, [name("gone")]);
    }
}
