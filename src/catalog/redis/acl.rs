//! Who may log in to a Redis: seen and changed through `redis-cli` inside the container.
//!
//! Every statement is a script on the input of `sh`, and whatever it logs in with is in a file that nself
//! wrote: in the set in use or, while a password is being changed, in the one before.

use std::collections::BTreeMap;

use crate::{
    catalog::{Attribute, Inside, Statement},
    model::{Digest, Encoding, Inner, InnerKind, Sensitive, ServiceName},
};

/// The user that everybody is who gives a password and no name.
pub(super) const USER: &str = "default";
/// The password with which one can log in.
pub(super) const PASSWORD: &str = "password";

/// Returns what to run to see whose passwords are taken.
pub(in crate::catalog) fn look(folder: &str, wanted: &[&Inner]) -> Statement {
    let service = wanted.first().map_or("", |inner| inner.service.as_str());
    script(folder, &format!("echo {service}\nredis-cli ACL GETUSER {USER}\necho done\n"))
}

/// Reads what [`look`] put out.
pub(in crate::catalog) fn read(output: &str) -> Result<Inside, String> {
    let mut lines = output.lines();
    let service = lines.next().and_then(|line| ServiceName::new(line).ok());
    let service = service.ok_or("redis-cli put out something of an unknown form")?;
    if output.lines().last() != Some("done") {
        return Err("redis-cli ended before it had put out everything".into());
    }
    let hashes: Vec<&str> = lines
        .skip_while(|line| *line != "passwords")
        .skip(1)
        .take_while(|line| line.len() == 64 && line.bytes().all(|b| b.is_ascii_hexdigit()))
        .collect();
    let hashes = hashes.join(",");
    let inside = [(InnerKind::Role, "any"), (InnerKind::Login, "only")].map(|(kind, word)| {
        let inner = Inner { service: service.clone(), kind, database: None, name: USER.into() };
        let verifier = Attribute::Verifier(format!("sha256-{word}:{hashes}"));
        (inner, BTreeMap::from([(PASSWORD.to_owned(), verifier)]))
    });
    Ok(inside.into())
}

/// Returns whether `password` is one of those, or the only one, that are taken.
pub(in crate::catalog) fn verifies(password: &str, verifier: &str) -> bool {
    let hash = Digest::of(password.as_bytes());
    if let Some(hashes) = verifier.strip_prefix("sha256-any:") {
        return hashes.split(',').any(|other| other == hash.as_str());
    }
    verifier.strip_prefix("sha256-only:").is_some_and(|only| only == hash.as_str())
}

/// Returns what to run so that the password is taken: beside others for a role, alone for a login.
pub(in crate::catalog) fn ensure(
    folder: &str,
    inner: &Inner,
    attributes: &BTreeMap<String, Sensitive>,
) -> Statement {
    let password = attributes.get(PASSWORD).map_or("", Sensitive::expose);
    let hash = Digest::of(password.as_bytes());
    let commands = if inner.kind == InnerKind::Login {
        // The setting first, since it lets nothing but itself in; then what came in beside it.
        let password = Encoding::Quoted.apply(password);
        format!(
            "CONFIG SET requirepass \"{password}\"\nACL SETUSER {USER} on resetpass #{hash}"
        )
    } else {
        format!("ACL SETUSER {USER} on #{hash}")
    };
    let expected = "OK\n".repeat(commands.lines().count());
    let expected = expected.trim_end();
    script(
        folder,
        &format!(
            "said=$(redis-cli <<'END_OF_COMMANDS'\n{commands}\nEND_OF_COMMANDS\n)\n\
             [ \"$said\" = '{expected}' ] || {{ echo \"$said\" >&2; exit 1; }}\n"
        ),
    )
}

/// Returns what to run to remove something: there is nothing that would not go with the service.
pub(in crate::catalog) fn remove() -> Statement {
    Statement { argv: vec!["true".into()], user: None, stdin: Sensitive::new("") }
}

/// Returns a script that runs `body` with a password that the server takes.
fn script(folder: &str, body: &str) -> Statement {
    let head = format!(
        "for file in {folder}/current/password {folder}/*/password; do\n\
         [ -s \"$file\" ] || continue\n\
         REDISCLI_AUTH=$(cat \"$file\")\n\
         export REDISCLI_AUTH\n\
         answer=$(redis-cli PING 2>&1)\n\
         if [ \"$answer\" = PONG ]; then break; fi\n\
         done\n\
         [ \"$answer\" = PONG ] || {{ echo \"it takes no password that was written for it ($answer); a \
         restart makes it read its file\" >&2; exit 1; }}\n"
    );
    Statement { argv: vec!["sh".into()], user: None, stdin: Sensitive::new(head + body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_which_passwords_are_taken() {
        let hash = |text: &str| Digest::of(text.as_bytes()).to_string();
        let answer = |passwords: &[&str]| {
            let hashes: Vec<String> = passwords.iter().map(|text| hash(text)).collect();
            let head = ["cache", "flags", "on", "sanitize-payload", "passwords"].map(String::from);
            let tail = ["commands", "+@all", "done", ""].map(String::from);
            [head.to_vec(), hashes, tail.to_vec()].concat().join("\n")
        };
        let taken = |output: &str, kind: InnerKind, password: &str| {
            let inside = read(output).unwrap();
            let (_, attributes) = inside.iter().find(|(inner, _)| inner.kind == kind).unwrap();
            let Attribute::Verifier(verifier) = &attributes[PASSWORD] else { panic!("a verifier") };
            verifies(password, verifier)
        };
        let (one, both, none) = (answer(&["old"]), answer(&["old", "new"]), answer(&[]));
        for (output, password, role, login) in [
            (&one, "old", true, true),
            (&one, "new", false, false),
            (&both, "old", true, false),
            (&both, "new", true, false),
            (&none, "old", false, false),
            (&none, "", false, false),
        ] {
            assert_eq!(taken(output, InnerKind::Role, password), role);
            assert_eq!(taken(output, InnerKind::Login, password), login);
        }
        assert!(read("cache\nflags\non\n").is_err());
    }
}
