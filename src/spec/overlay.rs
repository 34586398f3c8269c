//! Environments: laying one tree of values over another.
//!
//! Tables merge key by key, everything else replaces, and `unset` removes. Each value keeps the place
//! where it was written, and the places it took the place of are kept beside it.

use super::Overridden;
use crate::model::{
    Diagnostic, Instance, Origin,
    decode::{Decode as _, Entry, Node, NodeValue, Sourced, Table, suggest},
};

/// Takes the table `environments` out of a file and returns its environments by name.
pub(super) fn environments(root: &mut Table, problems: &mut Vec<Diagnostic>) -> Table {
    let Some(entry) = root.remove("environments") else { return Table::new() };
    let NodeValue::Table(tables) = entry.node.value else {
        let _: Option<()> = entry.node.mismatch("a table of environments", problems);
        return Table::new();
    };
    for (name, entry) in &tables {
        if let Err(error) = Instance::new(name) {
            problems.push(Diagnostic::error("bad-name", error.to_string()).at(&entry.key, ""));
        }
        let _ = entry.node.table(problems);
    }
    tables
}

/// Lays an environment over the file: what it says under `unset` goes first, then its own values come.
pub(super) fn lay(
    root: &mut Table,
    mut over: Table,
    overridden: &mut Overridden,
    problems: &mut Vec<Diagnostic>,
) {
    if let Some(entry) = over.remove("environments") {
        let problem = Diagnostic::error("unknown-key", "an environment has no environments");
        problems.push(problem.at(&entry.key, "").help("write them in the main file"));
    }
    if let Some(entry) = over.remove("unset") {
        let paths = Vec::<Sourced<String>>::decode(&entry.node, problems).unwrap_or_default();
        for path in paths {
            if let Err(nearest) = unset(root, &path.value) {
                let message = format!("there is no `{}` to unset", path.value);
                let note =
                    nearest.map_or_else(String::new, |near| format!("did you mean `{near}`?"));
                problems.push(Diagnostic::error("unknown-path", message).at(&path.origin, note));
            }
        }
    }
    merge(root, over, overridden);
}

fn merge(base: &mut Table, over: Table, overridden: &mut Overridden) {
    for (name, entry) in over {
        match (base.get_mut(&name), entry.node) {
            (
                Some(Entry { node: Node { value: NodeValue::Table(base), .. }, .. }),
                Node { value: NodeValue::Table(over), .. },
            ) => merge(base, over, overridden),
            (Some(below), node) => {
                overridden.record(&node.origin, &below.node.origin);
                *below = Entry { key: entry.key, node };
            }
            (None, node) => {
                base.insert(name, Entry { key: entry.key, node });
            }
        }
    }
}

/// Removes what is at a dotted path. Keys may have dots in them, so the longest key wins. When there
/// is nothing, returns what may have been meant.
fn unset(table: &mut Table, path: &str) -> Result<(), Option<String>> {
    if table.remove(path).is_some() {
        return Ok(());
    }
    for (index, _) in path.match_indices('.').rev() {
        let (key, rest) = (&path[..index], &path[index + 1..]);
        if let Some(entry) = table.get_mut(key) {
            return match &mut entry.node.value {
                NodeValue::Table(inner) => {
                    unset(inner, rest).map_err(|near| near.map(|near| format!("{key}.{near}")))
                }
                _ => Err(Some(key.to_owned())),
            };
        }
    }
    let (first, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
    let near = suggest(first, table.keys().map(String::as_str));
    Err(near.map(|near| rest.map_or_else(|| near.to_owned(), |rest| format!("{near}.{rest}"))))
}

impl Overridden {
    fn record(&mut self, winner: &Origin, loser: &Origin) {
        let Some(key) = Self::key(winner) else { return };
        let mut losers = vec![loser.clone()];
        losers.extend(self.by(loser).iter().cloned());
        self.0.insert(key, losers);
    }
}

/// Says that the chosen environment is nowhere.
pub(super) fn unknown(chosen: &Instance, environments: &Table, main: &str) -> Diagnostic {
    let message = format!("there is no environment `{chosen}`");
    let names: Vec<_> = environments.keys().map(String::as_str).collect();
    let help = match suggest(chosen.as_str(), names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => {
            format!("declare it in {main}: [environments.{chosen}]; or write nself.{chosen}.toml")
        }
        None => format!("environments here: {}", names.join(", ")),
    };
    Diagnostic::error("unknown-environment", message).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Source;

    fn laid(base: &str, over: &str) -> (Table, Overridden, Vec<String>) {
        let mut root = Source::new("base", base).read().unwrap();
        let over = Source::new("over", over).read().unwrap();
        let (mut overridden, mut problems) = (Overridden::default(), Vec::new());
        lay(&mut root, over, &mut overridden, &mut problems);
        (root, overridden, problems.into_iter().map(|problem| problem.message).collect())
    }

    #[test]
    fn tables_merge_and_the_rest_replaces() {
        let (root, overridden, problems) =
            laid("[a]\nx = 1\ny = [1, 2]\n", "[a]\ny = [3]\nz = 4\n");
        assert_eq!(problems, [""; 0]);
        let NodeValue::Table(a) = &root["a"].node.value else { panic!("a table") };
        assert_eq!(a.keys().collect::<Vec<_>>(), ["x", "y", "z"]);
        let NodeValue::Array(y) = &a["y"].node.value else { panic!("an array") };
        assert_eq!(y.len(), 1);
        let below: Vec<_> = overridden.by(&a["y"].node.origin).iter().map(Origin::brief).collect();
        assert_eq!(below, ["base:3"]);
        assert!(overridden.by(&a["x"].node.origin).is_empty());
    }

    #[test]
    fn unset_removes_and_knows_what_is_near() {
        let (root, _, problems) =
            laid("[a.b]\nx = 1\n\"k.l\" = 2\n", "unset = [\"a.b.k.l\", \"a.c\", \"q\"]\n");
        assert_eq!(problems, ["there is no `a.c` to unset", "there is no `q` to unset"]);
        let NodeValue::Table(a) = &root["a"].node.value else { panic!("a table") };
        let NodeValue::Table(b) = &a["b"].node.value else { panic!("a table") };
        assert_eq!(b.keys().collect::<Vec<_>>(), ["x"]);
    }
}
