//! Build contexts: which files of a folder go into a build, and the digest of them.

use std::{
    collections::BTreeMap,
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::model::Digest;

/// What nself keeps beside a project: the vault with its key, the authority's key. It never goes to an
/// engine, where it would stay in a layer that anybody with the image can read.
const KEPT: &str = ".nself";

/// A file of a build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextFile {
    /// Its path on this machine.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Its permission bits. Owner and time do not go into a build.
    pub mode: u32,
}

/// What a file of a build context is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file.
    File,
    /// A symbolic link, with what it points at.
    Link(PathBuf),
}

/// Returns the files that go into a build of `folder`, by relative path with `/`, minding its
/// `.dockerignore`. The Dockerfile itself always goes in. Sockets and devices are left out, and whatever is
/// called `.nself`, which no rule takes in again.
///
/// # Errors
/// Whatever the system says of an unreadable folder or `.dockerignore`.
pub fn walk(folder: &Path, dockerfile: &str) -> io::Result<BTreeMap<String, ContextFile>> {
    let rules = rules(folder, dockerfile)?;
    let mut files = BTreeMap::new();
    let mut open = vec![(String::new(), folder.to_owned())];
    while let Some((prefix, path)) = open.pop() {
        for entry in path.read_dir()? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            if name == KEPT {
                continue;
            }
            let relative = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            let meta = entry.path().symlink_metadata()?;
            let kind = if meta.is_dir() {
                // A folder is entered even when it is ignored: a later rule may take a file out again.
                open.push((relative.clone(), entry.path()));
                Kind::Folder
            } else if meta.is_symlink() {
                Kind::Link(entry.path().read_link()?)
            } else if meta.is_file() {
                Kind::File
            } else {
                continue;
            };
            let ignored = rules.matched_path_or_any_parents(&relative, meta.is_dir()).is_ignore();
            if ignored && relative != dockerfile {
                continue;
            }
            let mode = meta.permissions().mode() & 0o7777;
            files.insert(relative, ContextFile { path: entry.path(), kind, mode });
        }
    }
    Ok(files)
}

/// Returns the digest of all that goes into a build of `folder`: paths, kinds, modes and contents.
///
/// # Errors
/// As [`walk`], and whatever the system says of an unreadable file.
pub fn digest(folder: &Path, dockerfile: &str) -> io::Result<Digest> {
    let mut parts = Vec::new();
    for (relative, file) in walk(folder, dockerfile)? {
        let kind = match &file.kind {
            Kind::Folder => "folder".to_owned(),
            Kind::File => {
                super::file(&file.path).map(|read| Digest::of(&read.bytes).to_string())?
            }
            Kind::Link(to) => format!("link {}", to.display()),
        };
        // What the group and others may do depends on the umask of whoever cloned the repository.
        let executable = file.mode & 0o100 != 0;
        parts.push(format!("{relative}\n{executable}\n{kind}"));
    }
    Ok(Digest::of_parts(parts.iter().map(String::as_bytes)))
}

/// Reads `.dockerignore`. Its patterns are like those of `.gitignore`, except that each is anchored at
/// the folder; source: Docker's reference on `.dockerignore` files.
fn rules(folder: &Path, dockerfile: &str) -> io::Result<Gitignore> {
    let mut builder = GitignoreBuilder::new("");
    // A Dockerfile may have rules of its own beside it.
    let own = folder.join(format!("{dockerfile}.dockerignore"));
    let path = if own.is_file() { own } else { folder.join(".dockerignore") };
    match super::file(&path) {
        Ok(file) => {
            for line in String::from_utf8_lossy(&file.bytes).lines() {
                let line = line.trim();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let (not, pattern) = match line.strip_prefix('!') {
                    Some(pattern) => ("!", pattern),
                    None => ("", line),
                };
                let pattern = pattern.trim().trim_start_matches("./").trim_start_matches('/');
                // A line that is no pattern ignores nothing, as in the original.
                let _ = builder.add_line(None, &format!("{not}/{pattern}"));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    builder.build().map_err(io::Error::other)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make files")]
mod tests {
    use super::*;

    #[test]
    fn the_vault_stays_out_whatever_the_rules_say() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("Dockerfile", "FROM x:1");
        write(".nself/key", "k");
        write("inner/.nself/deep/vault", "v");
        write(".dockerignore", "!.nself\n!**/.nself/**\n!.nself/key\n");
        std::os::unix::fs::symlink(".nself", folder.path().join("inner/link")).unwrap();
        let names: Vec<String> = walk(folder.path(), ".nself/key").unwrap().into_keys().collect();
        assert_eq!(names, [".dockerignore", "Dockerfile", "inner", "inner/link"]);

        let before = digest(folder.path(), "Dockerfile").unwrap();
        write(".nself/key", "another");
        write("inner/.nself/new", "n");
        assert_eq!(digest(folder.path(), "Dockerfile").unwrap(), before);
    }

    #[test]
    fn ignored_files_stay_out_and_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("Dockerfile", "FROM x:1");
        write("src/a.py", "a");
        write("node_modules/b/c.js", "c");
        write("notes.md", "n");
        write("src/notes.md", "n");
        write(".dockerignore", "node_modules\n*.md\nDockerfile\n!src/notes.md\n");
        let names: Vec<String> = walk(folder.path(), "Dockerfile").unwrap().into_keys().collect();
        assert_eq!(names, [".dockerignore", "Dockerfile", "src", "src/a.py", "src/notes.md"]);

        let before = digest(folder.path(), "Dockerfile").unwrap();
        write("node_modules/b/c.js", "changed");
        assert_eq!(digest(folder.path(), "Dockerfile").unwrap(), before);
        write("src/a.py", "changed");
        assert_ne!(digest(folder.path(), "Dockerfile").unwrap(), before);
    }
}
