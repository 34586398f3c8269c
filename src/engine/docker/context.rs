//! Archives: what goes into a build, and files on their way into a volume.

use std::io::{self, Write};

use crate::{desired::BuildContext, source};

/// Writes a build context as an archive.
pub(super) fn pack(context: &BuildContext, into: impl Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(into);
    // Links stay links; where they point is the build's business.
    archive.follow_symlinks(false);
    // Engines do not know the form in which files with holes would be written.
    archive.sparse(false);
    match context {
        BuildContext::Folder { path, dockerfile, target: _ } => {
            for (name, file) in source::walk(path, dockerfile)? {
                if file.kind == source::Kind::Folder {
                    archive.append_dir(&name, &file.path)?;
                } else {
                    archive.append_path_with_name(&file.path, &name)?;
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
