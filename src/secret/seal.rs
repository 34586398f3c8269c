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
