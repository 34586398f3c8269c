//! The image of a service: named, or built by Compose.

use super::{
    guess,
    service::Shared,
    sheet::Sheet,
    yaml::{Key, Node},
};
use crate::model::{Diagnostic, Origin};

/// Writes which image a service runs. Of a build it is the one that Compose made, so that nothing is made
/// anew; how nself would build it stands beside it.
pub(super) fn image(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, called: &str, node: &mut Node) {
    let image = node.take("image");
    let build = node.take("build");
    let own = image.as_ref().and_then(|(_, value)| value.text()).map(str::to_owned);
    let name = own.clone().unwrap_or_else(|| format!("{}-{called}", shared.project));
    sheet.set("image", whole_image(&name));
    if let Some(kind) = own.as_deref().and_then(guess::kind_of) {
        let text = format!(
            "nself has a kind that looks after this itself, in a container of its own: kind = \"{kind}\""
        );
        sheet.remark(&text);
    }
    if image.is_none() && build.is_none() {
        shared.lost(sheet, &node.at.clone(), "image", "the service has neither image nor build");
    }
    let Some((_, build)) = build else { return };
    let context = build.get("context").and_then(Node::text).unwrap_or(".");
    let folder = shared.loader.input.folder.clone();
    let context = std::path::Path::new(context);
    let context = context.strip_prefix(&folder).unwrap_or(context).to_string_lossy().into_owned();
    let context = if context.is_empty() { ".".to_owned() } else { context };
    let mut table = toml_edit::InlineTable::new();
    table.insert("context", context.clone().into());
    for (key, value) in build.entries() {
        match (key.text.as_str(), value.text()) {
            ("context", _) => {}
            ("dockerfile" | "target", Some(text)) => _ = table.insert(&key.text, text.into()),
            ("args", _) => {
                let args = value.entries().iter();
                let args = args.map(|(k, v)| (k.text.as_str(), v.text().unwrap_or_default()));
                table.insert("args", args.collect::<toml_edit::InlineTable>().into());
            }
            (other, _) => {
                let why = "nself builds from a folder, a Dockerfile, a target and arguments";
                shared.lost(sheet, &key.at, &format!("build.{other}"), why);
            }
        }
    }
    let build = if table.len() == 1 { format!("{context:?}") } else { table.to_string() };
    let text = format!(
        "the image that Compose built. To let nself build it, take this line out and write:\n\
         build = {}",
        build.trim()
    );
    sheet.remark_on("image", &text);
    let message = format!("`{called}` runs the image that Compose built");
    shared.findings.push(
        Diagnostic::warning("built", message)
            .at(&build_place(node, image.as_ref()), "")
            .help("so nothing is made anew; nself.toml says how nself builds it from here on"),
    );
}

fn build_place(node: &Node, image: Option<&(Key, Node)>) -> Origin {
    image.map_or_else(|| node.at.clone(), |(key, _)| key.at.clone())
}

/// An image without a tag is the one called `latest`.
fn whole_image(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    match name.split_once('@') {
        // A digest says all that a tag could.
        Some((front, digest)) => {
            let tag = front.rsplit('/').next().unwrap_or(front).rfind(':');
            let bare = tag.map_or(front, |_| front.rsplit_once(':').map_or(front, |(f, _)| f));
            format!("{bare}@{digest}")
        }
        None if last.contains(':') => name.to_owned(),
        None => format!("{name}:latest"),
    }
}
