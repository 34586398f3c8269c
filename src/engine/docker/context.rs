#![expect(clippy::disallowed_methods, reason = "a build context is read from disk")]
//! Archives: what goes into a build, and files on their way into a volume.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::{desired::BuildContext, model::Digest};

/// A file or link that goes into a build.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContextEntry {
    /// Its path in the context.
    pub path: String,
    /// Where it is.
    pub source: PathBuf,
    /// What it points at, for a link.
    pub link: Option<PathBuf>,
    /// Whether it is a folder. Empty folders count too.
    pub is_folder: bool,
}

/// Returns what of a folder goes into a build, sorted by path: everything but what its `.dockerignore`
/// leaves out. The Dockerfile always goes in.
pub fn context_entries(folder: &Path, dockerfile: &str) -> io::Result<Vec<ContextEntry>> {
    let ignored = ignore_rules(folder, dockerfile)?;
    let mut entries = Vec::new();
    walk(folder, folder, &mut |entry| {
        let needed = entry.path == dockerfile || entry.path == ".dockerignore";
        let path = Path::new(&entry.path);
        if needed || !ignored.matched_path_or_any_parents(path, entry.is_folder).is_ignore() {
            entries.push(entry);
        }
    })?;
    entries.sort();
    Ok(entries)
}

/// Returns the digest of a build context: paths, contents, links and whether a file can be run. Times
/// and owners do not count, so that two clones have one digest.
pub fn context_digest(folder: &Path, dockerfile: &str) -> io::Result<Digest> {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for entry in context_entries(folder, dockerfile)? {
        let (kind, content) = match &entry.link {
            Some(target) => ("link", target.to_string_lossy().into_owned().into_bytes()),
            None if entry.is_folder => ("folder", Vec::new()),
            None if is_program(&entry.source)? => ("program", hash(&entry.source)?),
            None => ("file", hash(&entry.source)?),
        };
        parts.push(format!("{kind} {}", entry.path).into_bytes());
        parts.push(content);
    }
    Ok(Digest::of_parts(parts.iter().map(Vec::as_slice)))
}

/// Writes a build context as an archive.
pub(super) fn pack(context: &BuildContext, into: impl Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(into);
    // Links stay links; where they point is the build's business.
    archive.follow_symlinks(false);
    match context {
        BuildContext::Folder { path, dockerfile, target: _ } => {
            for entry in context_entries(path, dockerfile)? {
                if entry.is_folder {
                    archive.append_dir(&entry.path, &entry.source)?;
                } else {
                    archive.append_path_with_name(&entry.source, &entry.path)?;
                }
            }
        }
        BuildContext::Recipe(files) => {
            for (path, content) in files {
                // Programs among a recipe's files say so by their first line.
                let mode = if content.starts_with("#!") { 0o755 } else { 0o644 };
                let mut header = header(tar::EntryType::Regular, (0, 0), mode, 0);
                header.set_size(content.len() as u64);
                archive.append_data(&mut header, path, content.as_bytes())?;
            }
        }
    }
    archive.into_inner()?.flush()
}

/// An archive of generated files: one owner, one time.
pub(super) struct Packer {
    archive: tar::Builder<Vec<u8>>,
    owner: (u32, u32),
    time: u64,
}

impl Packer {
    pub(super) fn new(owner: (u32, u32), time: u64) -> Self {
        Self { archive: tar::Builder::new(Vec::new()), owner, time }
    }

    /// Adds a folder that its owner, and whoever may read the files in it, can enter.
    pub(super) fn folder(&mut self, path: &str) -> io::Result<()> {
        let mut header = header(tar::EntryType::Directory, self.owner, 0o755, self.time);
        self.archive.append_data(&mut header, format!("{path}/"), io::empty())
    }

    pub(super) fn file(&mut self, path: &str, content: &[u8], mode: u32) -> io::Result<()> {
        let mut header = header(tar::EntryType::Regular, self.owner, mode, self.time);
        header.set_size(content.len() as u64);
        self.archive.append_data(&mut header, path, content)
    }

    pub(super) fn link(&mut self, path: &str, to: &str) -> io::Result<()> {
        let mut header = header(tar::EntryType::Symlink, self.owner, 0o777, self.time);
        self.archive.append_link(&mut header, path, to)
    }

    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        self.archive.into_inner()
    }
}

fn header(kind: tar::EntryType, (uid, gid): (u32, u32), mode: u32, time: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_uid(u64::from(uid));
    header.set_gid(u64::from(gid));
    header.set_mode(mode);
    header.set_mtime(time);
    header.set_size(0);
    header
}

/// `.dockerignore` is like `.gitignore` with one difference that matters: a pattern without a slash is
/// for the top folder only.
fn ignore_rules(folder: &Path, dockerfile: &str) -> io::Result<Gitignore> {
    // A Dockerfile may have rules of its own beside it.
    let own = folder.join(format!("{dockerfile}.dockerignore"));
    let path = if own.is_file() { own } else { folder.join(".dockerignore") };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let mut rules = GitignoreBuilder::new("");
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let (negation, pattern) = match line.strip_prefix('!') {
            Some(pattern) => ("!", pattern.trim()),
            None => ("", line),
        };
        let pattern = pattern.trim_start_matches("./").trim_start_matches('/');
        let pattern = pattern.trim_end_matches('/');
        if !matches!(pattern, "" | ".") {
            let line = format!("{negation}/{pattern}");
            rules.add_line(None, &line).map_err(io::Error::other)?;
        }
    }
    rules.build().map_err(io::Error::other)
}

/// Visits everything below a folder. An ignored folder is entered as well: a later rule may take
/// something in it back.
fn walk(root: &Path, folder: &Path, visit: &mut impl FnMut(ContextEntry)) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let source = entry.path();
        let kind = entry.file_type()?;
        let path = source.strip_prefix(root).map_err(io::Error::other)?;
        let path = path.to_string_lossy().into_owned();
        let link = if kind.is_symlink() { Some(fs::read_link(&source)?) } else { None };
        // Sockets and the like cannot be archived.
        if !(kind.is_symlink() || kind.is_dir() || kind.is_file()) {
            continue;
        }
        let below = kind.is_dir().then(|| source.clone());
        visit(ContextEntry { path, source, link, is_folder: kind.is_dir() });
        if let Some(below) = below {
            walk(root, &below, visit)?;
        }
    }
    Ok(())
}

fn is_program(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::metadata(path)?.permissions().mode() & 0o111 != 0)
}

fn hash(path: &Path) -> io::Result<Vec<u8>> {
    Ok(Digest::of(&fs::read(path)?).as_str().as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_files_stay_out_and_links_stay_links() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in ["a/keep", "a/drop", "b/log.txt", "log.txt", "Dockerfile", "node/x/y"] {
            fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            fs::write(at(path), path).unwrap();
        }
        std::os::unix::fs::symlink("a/keep", at("link")).unwrap();
        fs::write(at(".dockerignore"), "# no\nlog.txt\na/*\n!a/keep\nnode/\nDockerfile\n").unwrap();
        let paths = |folder: &Path| -> Vec<String> {
            let entries = context_entries(folder, "Dockerfile").unwrap();
            entries.into_iter().filter(|entry| !entry.is_folder).map(|entry| entry.path).collect()
        };
        let expected = [".dockerignore", "Dockerfile", "a/keep", "b/log.txt", "link"];
        assert_eq!(paths(folder.path()), expected);

        let before = context_digest(folder.path(), "Dockerfile").unwrap();
        fs::write(at("log.txt"), "ignored").unwrap();
        assert_eq!(context_digest(folder.path(), "Dockerfile").unwrap(), before);
        fs::write(at("b/log.txt"), "not ignored").unwrap();
        assert_ne!(context_digest(folder.path(), "Dockerfile").unwrap(), before);

        let context = BuildContext::Folder {
            path: folder.path().to_owned(),
            dockerfile: "Dockerfile".into(),
            target: None,
        };
        let mut bytes = Vec::new();
        pack(&context, &mut bytes).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let links = archive.entries().unwrap().map(Result::unwrap);
        let links = links.filter(|entry| entry.header().entry_type().is_symlink());
        assert_eq!(links.count(), 1);
    }
}
