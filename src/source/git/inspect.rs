//! What is looked for in a commit before any of it is written: a tree comes from whoever may push, and its
//! links and names lead wherever they like.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ffi::OsStr,
    io::Read,
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use super::url::RelativeFolder;
use crate::model::ByteSize;

/// Why a commit is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It has another repository in it.
    #[error("{0} is a submodule, and submodules are not fetched")]
    Submodule(String),
    /// A link leads out of it.
    #[error("the link {path} leads out of the repository, to {target}")]
    Link {
        /// The link.
        path: String,
        /// What it points at.
        target: String,
    },
    /// A link leads nowhere, in a circle.
    #[error("the link {0} leads in a circle")]
    Circle(String),
    /// It has a folder in it that is kept for secrets.
    #[error(
        "{0} is in it; `.nself` holds what a machine keeps to itself, and belongs in no repository"
    )]
    Kept(String),
    /// A path cannot be written, or would be `git`'s own.
    #[error("it has the path {0:?} in it, which is not written")]
    Path(String),
    /// It is too large.
    #[error("its files are larger than {} together", .0.rounded())]
    Large(ByteSize),
    /// It has too many files.
    #[error("it has more than {0} files")]
    Many(u64),
    /// A configuration file is too large to be one.
    #[error("{path} is {}; at most {} are read", size.rounded(), limit.rounded())]
    LargeFile {
        /// The file.
        path: String,
        /// Its size.
        size: ByteSize,
        /// What is read.
        limit: ByteSize,
    },
    /// There is no configuration.
    #[error("it has no {0}")]
    NoFile(String),
    /// The configuration is not a file.
    #[error("{0} is not a plain file")]
    NotFile(String),
}

impl Refused {
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            Self::Submodule(_) => "put the files themselves into the repository",
            Self::Link { .. } | Self::Circle(_) => {
                "have the link lead to something in the repository, or take it out"
            }
            Self::Kept(_) => {
                "git rm -r --cached .nself, add it to .gitignore, and rotate what was in it"
            }
            Self::Path(_) => "rename it",
            Self::Large(_) | Self::Many(_) => {
                "keep what is not deployed in another repository, or raise the limit"
            }
            Self::LargeFile { .. } => "make it smaller",
            Self::NoFile(_) => "add it, or say in which folder of the repository it is",
            Self::NotFile(_) => "replace it by the file itself",
        }
    }
}

/// What is taken of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a repository may be silent. A fetch that goes on may take ten times as long.
    pub patience: std::time::Duration,
    /// What one fetch may bring. The kernel sees to it: `git` may write no file that is larger.
    pub fetch: ByteSize,
    /// The size of all files of a commit.
    pub tree: ByteSize,
    /// How many files a commit may have.
    pub files: u64,
    /// The size of a configuration file.
    pub file: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            patience: std::time::Duration::from_mins(1),
            fetch: ByteSize(1 << 30),
            tree: ByteSize(512 << 20),
            files: 100_000,
            file: ByteSize(1 << 20),
        }
    }
}

/// A link of a commit, whose target is yet to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Where it is.
    pub path: Vec<u8>,
    /// The object that says where it leads.
    pub object: String,
}

/// What is in a commit.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// All files and links.
    pub paths: BTreeSet<Vec<u8>>,
    /// The links.
    pub links: Vec<Link>,
}

/// What ends the reading of a listing.
#[derive(Debug)]
pub(super) enum Stop {
    /// The commit will not do.
    Refused(Refused),
    /// The listing broke off.
    Read(std::io::Error),
}

impl From<Refused> for Stop {
    fn from(why: Refused) -> Self {
        Self::Refused(why)
    }
}

/// Reads what `git ls-tree -r -l -z` says of a commit.
pub(super) fn listing(
    from: &mut dyn Read,
    folder: &RelativeFolder,
    limits: &Limits,
) -> Result<Listing, Stop> {
    let main = folder.join("nself.toml");
    let overlays = folder.join("nself.");
    let (mut is_there, mut files, mut size, mut listing) = (false, 0, 0u64, Listing::default());
    let mut records = Records { from, rest: VecDeque::new() };
    while let Some(record) = records.next().map_err(Stop::Read)? {
        let Some((front, path)) = split(&record, b'\t') else { continue };
        let front = String::from_utf8_lossy(front);
        let mut words = front.split_ascii_whitespace();
        let (mode, _, object, bytes) = (words.next(), words.next(), words.next(), words.next());
        let bytes = bytes.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let shown = || String::from_utf8_lossy(path).into_owned();
        check_path(path)?;
        let is_main = path == main.as_bytes();
        let is_overlay = path
            .strip_prefix(overlays.as_bytes())
            .is_some_and(|rest| rest.ends_with(b".toml") && !rest.contains(&b'/'));
        match mode {
            Some("160000") => return Err(Refused::Submodule(shown()).into()),
            Some("120000") if is_main || is_overlay => return Err(Refused::NotFile(shown()).into()),
            Some("120000") if bytes > 4095 => return Err(Refused::Path(shown()).into()),
            Some("120000") => listing.links.push(Link {
                path: path.to_owned(),
                object: object.unwrap_or_default().to_owned(),
            }),
            _ => {}
        }
        if (is_main || is_overlay) && bytes > limits.file.0 {
            let (path, size) = (shown(), ByteSize(bytes));
            return Err(Refused::LargeFile { path, size, limit: limits.file }.into());
        }
        is_there |= is_main;
        listing.paths.insert(path.to_owned());
        files += 1;
        if files > limits.files {
            return Err(Refused::Many(limits.files).into());
        }
        size = size.saturating_add(bytes);
        if size > limits.tree.0 {
            return Err(Refused::Large(limits.tree).into());
        }
    }
    if is_there { Ok(listing) } else { Err(Refused::NoFile(main).into()) }
}

/// Refuses paths that are no paths inside a tree, `git`'s own, and those that are kept for us.
pub(super) fn check_path(path: &[u8]) -> Result<(), Refused> {
    let shown = || String::from_utf8_lossy(path).into_owned();
    for part in path.split(|byte| *byte == b'/') {
        if part == b".nself" {
            return Err(Refused::Kept(shown()));
        }
        let is_bad = matches!(part, b"" | b"." | b"..")
            || part.eq_ignore_ascii_case(b".git")
            || part.len() > 255
            || part.contains(&0);
        if is_bad {
            return Err(Refused::Path(shown()));
        }
    }
    if path.len() > 3000 { Err(Refused::Path(shown())) } else { Ok(()) }
}

/// Follows each link through the others, as the system would, and refuses those that leave the tree or
/// lead to what is kept.
pub(super) fn check_links(links: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<(), Refused> {
    /// As many links the system follows before it gives up.
    const HOPS: u32 = 40;
    for (path, target) in links {
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let out = || Refused::Link { path: shown(path), target: shown(target) };
        let mut here: Vec<&[u8]> = parts(path);
        here.pop();
        let mut ahead: VecDeque<&[u8]> = parts(target).into();
        if target.first() == Some(&b'/') {
            return Err(out());
        }
        let mut hops = 0;
        while let Some(part) = ahead.pop_front() {
            match part {
                b"." => {}
                b".." => {
                    here.pop().ok_or_else(out)?;
                }
                b".nself" => return Err(Refused::Kept(shown(path))),
                name => {
                    here.push(name);
                    let Some(next) = links.get(&here.join(&b'/')) else { continue };
                    hops += 1;
                    if hops > HOPS {
                        return Err(Refused::Circle(shown(path)));
                    }
                    if next.first() == Some(&b'/') {
                        return Err(out());
                    }
                    here.pop();
                    for part in parts(next).into_iter().rev() {
                        ahead.push_front(part);
                    }
                }
            }
        }
    }
    Ok(())
}

fn parts(path: &[u8]) -> Vec<&[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect()
}

/// Reads what `git cat-file --batch` answers to the links of a commit.
pub(super) fn targets(links: Vec<Link>, mut answer: &[u8]) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut targets = BTreeMap::new();
    for link in links {
        let (head, rest) = split(answer, b'\n')?;
        let head = std::str::from_utf8(head).ok()?;
        let size: usize = head.split(' ').nth(2)?.parse().ok()?;
        targets.insert(link.path, rest.get(..size)?.to_owned());
        answer = rest.get(size + 1..)?;
    }
    Some(targets)
}

/// Returns a path of a tree for this system.
pub(super) fn native(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}

fn split(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|byte| *byte == at)?;
    Some((&bytes[..place], &bytes[place + 1..]))
}

/// What ends with a zero byte each.
struct Records<'a> {
    from: &'a mut dyn Read,
    rest: VecDeque<u8>,
}

impl Records<'_> {
    fn next(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut looked = 0;
        loop {
            let end = self.rest.iter().skip(looked).position(|byte| *byte == 0);
            if let Some(end) = end {
                let record = self.rest.drain(..looked + end).collect();
                self.rest.pop_front();
                return Ok(Some(record));
            }
            looked = self.rest.len();
            let mut piece = [0; 16 << 10];
            match self.from.read(&mut piece)? {
                0 => return Ok(None),
                read => self.rest.extend(&piece[..read]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(links: &[(&str, &str)]) -> BTreeMap<Vec<u8>, Vec<u8>> {
        links.iter().map(|(path, target)| ((*path).into(), (*target).into())).collect()
    }

    #[test]
    fn links_may_lead_anywhere_inside() {
        for good in [
            &[("a", "b")][..],
            &[("d/a", "../b")],
            &[("d/a", "./e//f/../g")],
            &[("l1", "sub/deep"), ("l2", "l1/../x")],
            &[("a", "")],
        ] {
            assert_eq!(check_links(&links(good)), Ok(()), "{good:?}");
        }
    }

    #[test]
    fn links_out_of_the_tree_are_found_through_other_links() {
        for bad in [
            &[("a", "/etc/passwd")][..],
            &[("a", "../b")],
            &[("d/a", "../../b")],
            &[("d/a", "x/../../../b")],
            // Lexically inside; but `a/b/c/l1` is `z`, and above it is the outside.
            &[("a/b/c/l1", "../../../z"), ("l2", "a/b/c/l1/../../x")],
        ] {
            assert!(matches!(check_links(&links(bad)), Err(Refused::Link { .. })), "{bad:?}");
        }
        let kept = links(&[("a", "shop/.nself/key")]);
        assert!(matches!(check_links(&kept), Err(Refused::Kept(_))));
        let circle = links(&[("a", "b"), ("b", "a")]);
        assert!(matches!(check_links(&circle), Err(Refused::Circle(_))));
    }

    fn list(text: &str, limits: Limits) -> Result<Vec<Link>, Refused> {
        let text = text.replace('\n', "\0");
        let mut bytes = text.as_bytes();
        match listing(&mut bytes, &"shop".parse().unwrap(), &limits) {
            Ok(listing) => Ok(listing.links),
            Err(Stop::Refused(why)) => Err(why),
            Err(Stop::Read(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn listings_are_judged() {
        let limits =
            Limits { files: 3, tree: ByteSize(100), file: ByteSize(50), ..Limits::default() };
        let toml = "100644 blob aa      20\tshop/nself.toml\n";
        let links = list(&format!("{toml}120000 blob bb       3\tl\n"), limits).unwrap();
        assert_eq!(links, [Link { path: b"l".to_vec(), object: "bb".into() }]);
        for (text, why) in [
            (String::new(), Refused::NoFile("shop/nself.toml".into())),
            (format!("{toml}160000 commit bb       -\tlib\n"), Refused::Submodule("lib".into())),
            (
                format!("{toml}100644 blob bb 1\ta/.nself/key\n"),
                Refused::Kept("a/.nself/key".into()),
            ),
            (format!("{toml}100644 blob bb 1\ta/.GIT/x\n"), Refused::Path("a/.GIT/x".into())),
            (format!("{toml}100644 blob bb 1\ta/../x\n"), Refused::Path("a/../x".into())),
            (format!("{toml}100644 blob bb 90\ta\n"), Refused::Large(ByteSize(100))),
            (format!("{toml}{0}{0}{0}", "100644 blob bb 1\ta\n"), Refused::Many(3)),
            (
                "120000 blob bb 1\tshop/nself.toml\n".into(),
                Refused::NotFile("shop/nself.toml".into()),
            ),
            (
                format!("{toml}100644 blob bb 51\tshop/nself.prod.toml\n"),
                Refused::LargeFile {
                    path: "shop/nself.prod.toml".into(),
                    size: ByteSize(51),
                    limit: ByteSize(50),
                },
            ),
        ] {
            assert_eq!(list(&text, limits), Err(why));
        }
    }

    #[test]
    fn targets_are_read_in_order() {
        let link = |path: &str| Link { path: path.into(), object: "o".into() };
        let answer = b"o blob 3\na\nb\no blob 1\nc\n";
        let read = targets(vec![link("x"), link("y")], answer).unwrap();
        assert_eq!(read, links(&[("x", "a\nb"), ("y", "c")]));
        assert_eq!(targets(vec![link("x")], b"o missing\n"), None);
    }
}
