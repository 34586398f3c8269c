//! Passwords as Postgres keeps them: SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677).
//!
//! A verifier is computed here and only it travels to the server, so that no log there can show a
//! password. Normalisation of passwords outside ASCII is left to whoever chooses such a password.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// What the server itself uses.
const ITERATIONS: u32 = 4096;

/// Returns the verifier of `password` for `role`. The same password of the same role has the same one
/// each time: its salt comes from both, which is as good as a random one for long random passwords.
pub(super) fn verifier(password: &str, role: &str) -> String {
    let salt = &hmac(password.as_bytes(), role.as_bytes())[..16];
    with_salt(password, salt, ITERATIONS)
}

/// Returns whether `verifier` was made from `password`. An MD5 hash never counts: it is to be replaced.
pub(in crate::catalog) fn verifies(password: &str, verifier: &str) -> bool {
    let parts = || {
        let (head, _) = verifier.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let (iterations, salt) = head.split_once(':')?;
        // The bound keeps a forged verifier from keeping us busy for ever.
        let iterations = iterations.parse().ok().filter(|count| (1..=1_000_000).contains(count))?;
        Some((iterations, STANDARD.decode(salt).ok()?))
    };
    parts().is_some_and(|(iterations, salt)| with_salt(password, &salt, iterations) == verifier)
}

fn with_salt(password: &str, salt: &[u8], iterations: u32) -> String {
    let salted = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt, iterations);
    let stored_key = Sha256::digest(hmac(&salted, b"Client Key"));
    let server_key = hmac(&salted, b"Server Key");
    format!(
        "SCRAM-SHA-256${iterations}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored_key),
        STANDARD.encode(server_key)
    )
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_comes_out() {
        // RFC 7677, section 3: user "user", password "pencil"; the server's signature there follows
        // from this server key.
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let made = with_salt("pencil", &salt, 4096);
        let server_key = STANDARD.decode(made.rsplit_once(':').unwrap().1).unwrap();
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,\
                       r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signature = STANDARD.encode(hmac(&server_key, message.as_bytes()));
        assert_eq!(signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn a_verifier_knows_its_password_and_no_other() {
        let made = verifier("secret", "app");
        assert_eq!(made, verifier("secret", "app"));
        assert_ne!(made, verifier("secret", "other"));
        assert!(verifies("secret", &made));
        assert!(!verifies("Secret", &made));
        for bad in ["", "md5d41d8cd98f00b204e9800998ecf8427e", "SCRAM-SHA-256$x:y$z", "secret"] {
            assert!(!verifies("secret", bad), "{bad}");
        }
    }
}
