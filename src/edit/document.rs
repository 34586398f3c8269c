//! One value of a TOML document set or taken away, with everything else left as it stands.

use toml_edit::{DocumentMut, InlineTable, Item, TableLike, Value};

/// Returns what stands at a path.
pub(super) fn get<'d>(document: &'d DocumentMut, path: &[String]) -> Option<&'d Item> {
    let mut item = document.as_item();
    for key in path {
        item = item.as_table_like()?.get(key)?;
    }
    Some(item)
}

/// Sets what stands at a path, and makes the tables that lead there. Without a value it is taken away,
/// and a table that is empty then goes with it.
pub(super) fn put(document: &mut DocumentMut, path: &[String], value: Option<Value>) {
    place(document.as_table_mut(), path, value);
}

fn place(table: &mut dyn TableLike, path: &[String], value: Option<Value>) {
    let Some((key, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        match (table.get_mut(key), value) {
            (Some(Item::Value(old)), Some(mut new)) => {
                // The space and the remark behind a value belong to its place.
                *new.decor_mut() = old.decor().clone();
                *old = new;
            }
            (_, Some(new)) => _ = table.insert(key, Item::Value(new)),
            (_, None) => _ = table.remove(key),
        }
        return;
    }
    if table.get(key).is_none() {
        if value.is_none() {
            return;
        }
        table.insert(key, Item::Value(InlineTable::new().into()));
    }
    let Some(inner) = table.get_mut(key).and_then(Item::as_table_like_mut) else { return };
    place(inner, rest, value);
    if inner.is_empty() {
        table.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str, path: &str, value: Option<&str>) -> String {
        let mut document: DocumentMut = text.parse().unwrap();
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        put(&mut document, &path, value.map(Value::from));
        document.to_string()
    }

    #[test]
    fn only_the_value_changes() {
        let text = "# head\n[a]\nb = \"x\"   # why\nc = { d = \"1\" }\n\n[a.e]\nf = 'g'\n";
        assert_eq!(after(text, "a.b", Some("y")), text.replace("\"x\"", "\"y\""));
        assert_eq!(after(text, "a.c.d", Some("2")), text.replace("\"1\"", "\"2\""));
        assert_eq!(after(text, "a.e.f", Some("h")), text.replace("'g'", "\"h\""));
        assert_eq!(after(text, "a.c.d", None), text.replace("c = { d = \"1\" }\n", ""));
        assert_eq!(after("[a]\n", "a.l.m", Some("1G")), "[a]\nl = { m = \"1G\" }\n");
        assert_eq!(after("a.b.c = \"1\"\n", "a.b.c", Some("2")), "a.b.c = \"2\"\n");
        assert_eq!(after(text, "q.r", None), text);
    }
}
