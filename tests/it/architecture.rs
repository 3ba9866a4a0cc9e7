//! The layers of the house: imports point down, and no two rooms import each other. A room is a folder of `src`, or a file
//! that stands there alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The layers from the ground up, each with its rooms. A room may import rooms of its own layer and of those above it in
/// this list.
const LAYERS: [(&str, &[&str]); 6] = [
    (
        "ground",
        &[
            "chance",
            "clock",
            "error",
            "figures",
            "limits",
            "named",
            "node",
            "peer",
            "public_name",
            "shares",
            "spans",
            "user",
            "webauthn",
        ],
    ),
    ("runtime", &["call", "collection", "outbox", "publication", "registry", "session", "transport"]),
    ("storage", &["bus", "keys", "mail", "store"]),
    ("features", &["accounts", "admin", "settings", "two_factor"]),
    ("doors", &["metrics", "rest", "web"]),
    ("assembly", &["app"]),
];

/// Rooms that stand beside the layers, each with the highest layer that it may import.
const BESIDE: [(&str, &str); 3] = [("client", "ground"), ("conformance", "assembly"), ("testing", "assembly")];

/// An import of one room by another.
struct Import {
    from: String,
    to: String,
    /// The file and the line, as `src/call/app.rs:12`.
    place: String,
}

#[test]
fn imports_point_down() {
    let mut broken = String::new();
    for import in imports() {
        let (from, to) = (layer_of(&import.from), layer_of(&import.to));
        let is_allowed = match (from, to) {
            (Some(from), Some(to)) => to <= from,
            // What stands beside the layers is imported by nothing in them.
            _ => false,
        };
        if !is_allowed {
            let Import { from, to, place } = import;
            let _written = writeln!(broken, "{place}: `{from}` imports `{to}`, which is {}", standing(&from, &to));
        }
    }
    assert!(broken.is_empty(), "a room may import its own layer and those below it:\n{broken}");
}

#[test]
fn rooms_do_not_import_each_other_in_a_circle() {
    let mut rooms: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for Import { from, to, place } in imports() {
        rooms.entry(from).or_default().entry(to).or_insert(place);
    }
    let circles: Vec<String> = rooms.keys().filter_map(|room| circle_of(room, &rooms)).collect();
    assert!(circles.is_empty(), "rooms import each other in a circle:\n{}", circles.join("\n"));
}

#[test]
fn every_room_has_a_layer() {
    let unknown: BTreeSet<String> =
        files().iter().map(|file| room_of(file)).filter(|room| layer_of(room).is_none()).collect();
    assert!(unknown.is_empty(), "these rooms of src have no layer in tests/it/architecture.rs: {unknown:?}");
}

#[test]
fn imports_are_found_in_paths_and_in_lists() {
    let text =
        "use crate::call::App;\n// crate::comment\nuse crate::{store::{A, B}, mail::C};\nlet a = crate::keys::d();\n";
    let found: Vec<(usize, String)> = crate_paths(text);
    let found: Vec<(usize, &str)> = found.iter().map(|(line, name)| (*line, name.as_str())).collect();
    assert_eq!(found, [(1, "call"), (3, "store"), (3, "mail"), (4, "keys")]);
    assert_eq!(without_tests("a\n#[cfg(test)]\nmod tests {\n use crate::app;"), "a\n");
}

/// The height of a room; a room beside the layers is as high as what it may import.
fn layer_of(room: &str) -> Option<usize> {
    let height = |name: &str| LAYERS.iter().position(|(layer, _)| *layer == name);
    let beside = BESIDE.iter().find(|(own, _)| *own == room).and_then(|(_, layer)| height(layer));
    beside.or_else(|| LAYERS.iter().position(|(_, rooms)| rooms.contains(&room)))
}

fn standing(from: &str, to: &str) -> String {
    let name = |room: &str| layer_of(room).map_or("beside the layers", |height| LAYERS[height].0);
    format!("in the layer {}, above {}", name(to), name(from))
}

/// The shortest way from a room back to itself, told with the places of its imports.
fn circle_of(start: &str, rooms: &BTreeMap<String, BTreeMap<String, String>>) -> Option<String> {
    let mut ways: Vec<Vec<&str>> = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in rooms.get(*way.last()?).into_iter().flat_map(BTreeMap::keys) {
                let longer_way: Vec<&str> = way.iter().copied().chain([next.as_str()]).collect();
                if next == start {
                    return Some(told(&longer_way, rooms));
                }
                if seen.insert(next) {
                    longer.push(longer_way);
                }
            }
        }
        ways = longer;
    }
    None
}

fn told(way: &[&str], rooms: &BTreeMap<String, BTreeMap<String, String>>) -> String {
    let step = |pair: &[&str]| format!("{} -> {} ({})", pair[0], pair[1], rooms[pair[0]][pair[1]]);
    way.windows(2).map(step).collect::<Vec<_>>().join(", ")
}

/// All imports between rooms, tests left out.
fn imports() -> Vec<Import> {
    let root = root_names();
    let mut imports = Vec::new();
    for file in files() {
        let from = room_of(&file);
        let text = std::fs::read_to_string(&file).expect("a file that was listed");
        for (line, name) in crate_paths(without_tests(&text)) {
            let to = root.get(&name).cloned().unwrap_or(name);
            // What comes from the protocol crate is below all rooms.
            if to != from && to != "bolide_protocol" {
                let shown = file.strip_prefix(source()).expect("a file of src").display().to_string();
                imports.push(Import { from: from.clone(), to, place: format!("src/{shown}:{line}") });
            }
        }
    }
    imports
}

/// The first names of all paths that begin with `crate::`, with the number of the line. Comments are left out.
fn crate_paths(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("crate::") {
        let at = text.len() - rest.len() + start;
        let line = text[..at].matches('\n').count() + 1;
        let is_comment = text[..at].rsplit('\n').next().is_some_and(|before| before.trim_start().starts_with("//"));
        let names = &rest[start + "crate::".len()..];
        if !is_comment {
            found.extend(first_names(names).into_iter().map(|name| (line, name)));
        }
        rest = names;
    }
    found
}

/// The names that a path goes on with: one, or those of a list in braces.
fn first_names(path: &str) -> Vec<String> {
    let name = |path: &str| path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(list) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut names, mut start) = (0, Vec::new(), 0);
    for (place, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(name(list[start..place].trim_start()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(name(list[start..place].trim_start()));
                start = place + 1;
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// What stands before the tests at the end of a file.
fn without_tests(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod tests {").map_or(text, |end| &text[..end])
}

/// The names that `lib.rs` exports at the root, each with the room that it is from.
fn root_names() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(source().join("lib.rs")).expect("lib.rs");
    // The prelude exports the same names again.
    let text = text.split("pub mod prelude").next().unwrap_or_default();
    let mut names = BTreeMap::new();
    for statement in text.split(';').filter_map(|part| part.split("pub use ").nth(1)) {
        let (path, list) = statement.rsplit_once("::").unwrap_or((statement, ""));
        let room = path.split("::").next().unwrap_or_default().trim();
        for name in list.trim_matches(['{', '}', '\n', ' ']).split(',').map(str::trim) {
            names.insert(name.to_owned(), room.to_owned());
        }
    }
    names
}

/// The Rust files of the library, tests and the binaries left out.
fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![source()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of src") {
            let path = entry.expect("an entry of src").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_test = name == "tests" || name == "tests.rs" || name.ends_with("_tests.rs");
            if path.is_dir() && !is_test && name != "bin" {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && !is_test && name != "lib.rs" {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn room_of(file: &Path) -> String {
    let inside = file.strip_prefix(source()).expect("a file of src");
    let first = inside.iter().next().and_then(|name| name.to_str()).expect("a name in UTF-8");
    first.trim_end_matches(".rs").to_owned()
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}
