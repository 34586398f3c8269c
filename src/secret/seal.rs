//! The vault as an age file: to whom it is encrypted, and with what it is opened.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use age::{
    Decryptor, Encryptor, Identity, Recipient,
    armor::{ArmoredReader, ArmoredWriter, Format},
    x25519,
};

use super::{Error, file};

/// The variable that names the file with the identity.
const KEY_FILE: &str = "NSELF_AGE_KEY_FILE";
/// The variable that holds the identity itself, for machines where files are in the way.
const KEY: &str = "NSELF_AGE_KEY";

/// How a vault is encrypted: not at all without recipients.
#[derive(Clone, Default)]
pub struct Seal {
    recipients: Vec<x25519::Recipient>,
    identities: Vec<x25519::Identity>,
    /// Where the identities came from.
    from: Option<String>,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal").field("recipients", &self.recipients.len()).finish_non_exhaustive()
    }
}

impl Seal {
    /// Reads whom the vault is for, and the identity that the variables of the process name.
    ///
    /// # Errors
    /// What is no recipient, and an identity that cannot be read.
    pub fn new(recipients: &[String], variables: &BTreeMap<String, String>) -> Result<Self, Error> {
        let recipients = recipients.iter().map(|text| {
            text.parse::<x25519::Recipient>().map_err(|_| Error::Recipient(text.clone()))
        });
        let recipients = recipients.collect::<Result<_, _>>()?;
        let set = |name: &str| variables.get(name).filter(|value| !value.trim().is_empty());
        let (text, from) = if let Some(text) = set(KEY) {
            (text.clone(), KEY.to_owned())
        } else if let Some(path) = set(KEY_FILE) {
            let path = PathBuf::from(path);
            let from = path.display().to_string();
            let text = file::read(&path)?.ok_or_else(|| Error::Identity {
                from: from.clone(),
                why: "there is no such file".to_owned(),
            })?;
            (text, from)
        } else {
            return Ok(Self { recipients, ..Self::default() });
        };
        let mut identities = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // What stands in the line stays unsaid.
            let identity = line.parse::<x25519::Identity>().map_err(|_| Error::Identity {
                from: from.clone(),
                why: format!("line {} is no age identity (AGE-SECRET-KEY-1…)", number + 1),
            })?;
            identities.push(identity);
        }
        if identities.is_empty() {
            let why = "there is no age identity (AGE-SECRET-KEY-1…) in it".to_owned();
            return Err(Error::Identity { from, why });
        }
        Ok(Self { recipients, identities, from: Some(from) })
    }

    /// Returns whether the vault is to be encrypted.
    pub fn is_wanted(&self) -> bool {
        !self.recipients.is_empty()
    }

    /// Encrypts a text to all recipients. There must be one.
    pub(super) fn close(&self, text: &str, path: &Path) -> Result<String, Error> {
        let failed = |source: std::io::Error| Error::Io {
            attempt: "encrypt",
            path: path.to_owned(),
            source,
        };
        let recipients = self.recipients.iter().map(|recipient| recipient as &dyn Recipient);
        let encryptor = Encryptor::with_recipients(recipients)
            .map_err(|error| failed(std::io::Error::other(error.to_string())))?;
        let mut sealed = Vec::new();
        let write = || {
            let armored = ArmoredWriter::wrap_output(&mut sealed, Format::AsciiArmor)?;
            let mut writer = encryptor.wrap_output(armored)?;
            writer.write_all(text.as_bytes())?;
            writer.finish()?.finish()
        };
        write().map_err(failed)?;
        String::from_utf8(sealed).map_err(|error| failed(std::io::Error::other(error)))
    }

    /// Decrypts what `path` holds.
    pub(super) fn open(&self, sealed: &str, path: &Path) -> Result<String, Error> {
        let Some(from) = &self.from else {
            return Err(Error::Sealed { path: path.to_owned() });
        };
        let damaged = || Error::Damaged { path: path.to_owned(), line: 1 };
        let decryptor = Decryptor::new_buffered(ArmoredReader::new(sealed.as_bytes()))
            .map_err(|_| damaged())?;
        let identities = self.identities.iter().map(|identity| identity as &dyn Identity);
        let mut reader = decryptor.decrypt(identities).map_err(|error| match error {
            age::DecryptError::NoMatchingKeys => {
                Error::WrongIdentity { path: path.to_owned(), from: from.clone() }
            }
            _ => damaged(),
        })?;
        let mut text = String::new();
        reader.read_to_string(&mut text).map_err(|_| damaged())?;
        Ok(text)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the disk behind the room's back")]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        model::{SecretName, Sensitive},
        secret::Vault,
    };

    /// The key for which age 1.1.1 wrote the file beside this one, and for another one.
    const IDENTITY: &str =
        "AGE-SECRET-KEY-19UT2FWQ02ZSAUCP97W2LLJG25PGQJRYNQHMC6GT3MKU7VQTUU3VQSH4J9J";

    fn variables(identity: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(KEY.to_owned(), identity.to_owned())])
    }

    fn key() -> (String, String) {
        use age::secrecy::ExposeSecret as _;
        let key = x25519::Identity::generate();
        (key.to_string().expose_secret().to_owned(), key.to_public().to_string())
    }

    fn name(text: &str) -> SecretName {
        SecretName::new(text).unwrap()
    }

    #[test]
    fn a_file_that_age_wrote_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml.age");
        fs::write(&path, include_str!("seal/by-age-1.1.1.age")).unwrap();
        let open = |identity: &str| {
            Vault::sealed(folder.path(), Seal::new(&[], &variables(identity)).unwrap())
        };
        let commented = format!("# created: today\n\n{IDENTITY}\r\n");
        let vault = open(&commented).unwrap();
        assert_eq!(vault.keyring().get(&name("db")).unwrap().expose(), "hush");
        // Without recipients nothing is written that anybody could read.
        let mut vault = vault;
        let error = vault.set(&name("db"), &Sensitive::new("x"), 1).unwrap_err();
        assert!(matches!(error, Error::NoRecipients { .. }), "{error}");
        let error = open(&key().0).unwrap_err();
        assert!(matches!(error, Error::WrongIdentity { .. }), "{error}");
        assert!(matches!(Vault::open(folder.path()), Err(Error::Sealed { .. })));
        for bad in ["# nothing", "hush-hush", "age1abc"] {
            let error = Seal::new(&[], &variables(bad)).unwrap_err();
            assert!(matches!(error, Error::Identity { .. }));
            assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
        }
        let file = include_str!("seal/by-age-1.1.1.age");
        for damaged in [&file[..200], "", "hush", &file.replace("3w==", "3W==")] {
            fs::write(&path, damaged).unwrap();
            assert!(matches!(open(IDENTITY), Err(Error::Damaged { .. })), "{damaged}");
            assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
        }
    }

    #[test]
    fn a_vault_moves_into_an_encrypted_file_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let ((mine, my_recipient), (theirs, their_recipient)) = (key(), key());
        let both = [my_recipient, their_recipient];
        let db = name("db");
        Vault::open(folder).unwrap().set(&db, &Sensitive::new("the value"), 1).unwrap();
        // What a write that was cut off left of it.
        fs::write(folder.join("secrets.new"), "the value").unwrap();

        let seal = Seal::new(&both, &variables(&mine)).unwrap();
        let mut vault = Vault::sealed(folder, seal).unwrap();
        assert!(vault.is_to_move() && !vault.is_sealed());
        vault.set(&name("other"), &Sensitive::new("x"), 2).unwrap();
        assert!(vault.is_sealed() && !vault.is_to_move());
        for entry in fs::read_dir(folder).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            assert!(!text.contains("the value"), "{text}");
        }
        for identity in [&mine, &theirs] {
            let seal = Seal::new(&[], &variables(identity)).unwrap();
            let there = Vault::sealed(folder, seal).unwrap();
            assert_eq!(there.fingerprints(), vault.fingerprints());
        }

        // Cut off between the two steps of a move, both files are there, and the later one holds.
        let older = "form = 2\nwritten = 1\nkey = \"k\"\n[secrets.db.now]\nvalue = \"old\"\n";
        fs::write(folder.join("secrets.toml"), older).unwrap();
        let seal = Seal::new(&both, &variables(&theirs)).unwrap();
        let there = Vault::sealed(folder, seal).unwrap();
        assert_eq!(there.keyring().get(&db).unwrap().expose(), "the value");

        let seal = Seal::new(&[], &variables(&theirs)).unwrap();
        let mut vault = Vault::sealed(folder, seal).unwrap();
        vault.write_anew().unwrap();
        assert!(!folder.join("secrets.toml.age").exists());
        let plain = Vault::open(folder).unwrap();
        assert_eq!(plain.keyring().get(&db).unwrap().expose(), "the value");
        assert_eq!(plain.list(), vault.list());
    }
}
