//! Units of systemd, as systemd itself reads them.

use std::{fs, path::Path, process::Command};

use nself::report::{Unit, unit};

use crate::case;

fn shop() -> Unit {
    let text = |text: &str| text.to_owned();
    Unit {
        title: text("shop · prod"),
        program: text("/usr/bin/env"),
        arguments: [
            "watch",
            "--git",
            "ssh://git@git.example.com/shop.git",
            "--path",
            "a b/100%",
            "$HOME",
        ]
        .map(text)
        .to_vec(),
        folder: None,
        user: None,
        groups: vec![text("docker")],
        state: text("nself-shop"),
        writable: vec![text("/srv/my shop/.nself")],
        credentials: vec![(text("age"), text("/etc/nself/age.key"))],
        environment: vec![
            (text("NSELF_AGE_KEY_FILE"), text("%d/age")),
            (text("NOTE"), text("say \"50%\"")),
        ],
    }
}

#[test]
fn a_unit_is_written_the_same_each_time() {
    case::compare("unit.service", &unit(&shop()));
    let given =
        Unit { user: Some("deploy".to_owned()), folder: Some("/srv/shop".to_owned()), ..shop() };
    let text = unit(&given);
    assert!(text.contains("\nUser=deploy\n") && !text.contains("DynamicUser"), "{text}");
    assert!(text.contains("\nWorkingDirectory=/srv/shop\n"), "{text}");
}

/// Without systemd on the machine nothing is asked.
#[test]
fn systemd_takes_it_and_finds_it_hardened() {
    let analyze = Path::new("/usr/bin/systemd-analyze");
    if !analyze.exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nself-shop.service");
    fs::write(&file, unit(&shop())).unwrap();
    let verify = Command::new(analyze).arg("verify").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&verify.stderr).into_owned();
    // Complaints about other units of the machine are not ours; older versions do not know how to wait longer.
    let ours = said.lines().filter(|line| line.contains("nself-shop"));
    let ours: Vec<&str> = ours
        .filter(|line| !line.contains("RestartSteps") && !line.contains("RestartMaxDelaySec"))
        .collect();
    assert!(ours.is_empty(), "{said}");
    let security = Command::new(analyze)
        .args(["security", "--offline=true", "--no-pager", "--threshold=20"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[security.stdout, security.stderr].concat()).into_owned();
    assert!(security.status.success(), "{said}");
}
