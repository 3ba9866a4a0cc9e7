//! `bolide documents`: what is imported and exported.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use bolide::collection::{Index, Upserted};
use bolide::prelude::*;
use bolide::protocol::DocumentId;
use bolide::protocol::ejson::{Binary, Custom, Date, Object, Regexp};
use bolide::store::SqlStore;

use super::{Data, complaint};

const IMPORT: [&str; 5] = ["documents", "import", "-", "--collection", "items"];
const EXPORT: [&str; 4] = ["documents", "export", "--collection", "items"];

/// Opens a collection as an application does.
async fn opened(data: &Data, collection: Collection) -> (App, Collection) {
    let store = SqlStore::open(&format!("sqlite:{}", data.database().display())).await.unwrap();
    let app = App::builder().store(store).collection(&collection).build().unwrap();
    (app, collection)
}

/// Closes the collection: its database can be opened by another process afterwards.
async fn closed(data: &Data, (app, collection): (App, Collection)) {
    drop((app, collection));
    while SqlStore::open(&format!("sqlite:{}", data.database().display())).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn summary(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
}

/// Returns a file with a line for each number.
fn lines(numbers: std::ops::Range<usize>, line: impl Fn(usize) -> String) -> String {
    numbers.map(line).collect::<Vec<_>>().concat()
}

fn object(key: &str, value: impl Into<Ejson>) -> Ejson {
    Ejson::Object(Object::from_iter([(key.to_owned(), value.into())]))
}

/// Returns a document with all kinds of EJSON.
fn all_kinds() -> Object {
    let values: Vec<Ejson> = vec![
        Ejson::Null,
        true.into(),
        5.into(),
        (-0.1).into(),
        u64::MAX.into(),
        f64::NAN.into(),
        f64::NEG_INFINITY.into(),
        "ünï\n\u{2028}\"".into(),
        vec![vec![1.into()].into(), Ejson::Null].into(),
        Date::from_milliseconds(-1).into(),
        Binary::from(&b"\0\xff"[..]).into(),
        Regexp::new("a|b", "i").unwrap().into(),
        Ejson::ObjectId("5f1e9c3b8c8b4e0012345678".parse().unwrap()),
        Custom::new("point", object("$oid", 1)).into(),
        object("$date", object("$oid", "a")),
        object("$oid", object("$numberLong", "5")),
        object("$escape", object("$escape", 1)),
    ];
    values.into_iter().enumerate().map(|(place, value)| (format!("field {place}"), value)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_is_imported_equal() {
    let data = Data::new("documents-kinds");
    let items = opened(&data, Collection::stored("items")).await;
    let object_id: bolide::protocol::ejson::ObjectId = "5f1e9c3b8c8b4e0012345678".parse().unwrap();
    items.1.insert("kinds", &all_kinds()).await.unwrap();
    items.1.insert("empty", &Object::new()).await.unwrap();
    items.1.insert(object_id, &all_kinds()).await.unwrap();
    items.1.insert("-5", &Object::new()).await.unwrap();
    closed(&data, items).await;
    let exported = data.succeed(&EXPORT, "");

    let copy = Data::new("documents-copy");
    assert!(copy.succeed(&IMPORT, &exported).starts_with("4 imported, 0 already exist, 0 rejected\n"));
    assert_eq!(copy.succeed(&EXPORT, ""), exported);
    assert_eq!(copy.succeed(&["documents", "list"], ""), data.succeed(&["documents", "list"], ""));
    let items = opened(&copy, Collection::stored("items")).await;
    for id in [DocumentId::from("kinds"), object_id.into()] {
        let mut found = items.1.get(id).await.unwrap().unwrap();
        found.shift_remove("_id");
        assert_eq!(found, all_kinds());
    }
    assert!(items.1.get("-5").await.unwrap().is_some());
}

#[test]
fn every_form_of_a_mongoexport_file_is_imported() {
    let pretty = "\u{feff}{\n\t\"_id\": {\n\t\t\"$oid\": \"5f1e9c3b8c8b4e0012345678\"\n\t},\n\t\"at\": {\n\t\t\"$date\": \"1970-01-01T00:00:01Z\"\n\t}\n}\n";
    let array = r#"[{"_id":7,"n":{"$numberInt":"1"},"l":{"$numberLong":"2"},"d":{"$numberDouble":"NaN"}},
        {"_id":"b","bytes":{"$binary":{"base64":"QUI=","subType":"00"}},"at":{"$date":{"$numberLong":"5"}}}]"#;
    let data = Data::new("documents-forms");
    assert!(data.succeed(&IMPORT, pretty).starts_with("1 imported"));
    assert!(data.succeed(&IMPORT, array).starts_with("2 imported"));
    let exported = data.succeed(&EXPORT, "");
    let expected = [
        r#"{"_id":{"$type":"oid","$value":"5f1e9c3b8c8b4e0012345678"},"at":{"$date":1000}}"#,
        r#"{"_id":"b","bytes":{"$binary":"QUI="},"at":{"$date":5}}"#,
        r#"{"_id":7,"n":1,"l":2,"d":{"$InfNaN":0}}"#,
    ];
    assert_eq!(exported.lines().collect::<Vec<_>>(), expected, "ordered by the id on the wire");
}

#[test]
fn an_import_that_is_repeated_adds_only_what_is_missing() {
    let data = Data::new("documents-again");
    let line = |number: usize| format!("{{\"_id\":\"{number}\",\"n\":{number}}}\n");
    let all = lines(0..2_500, line);
    let beginning = lines(0..1_200, line);
    assert!(data.succeed(&IMPORT, &beginning).starts_with("1200 imported, 0 already exist, 0 rejected\n"));
    assert!(data.succeed(&IMPORT, &all).starts_with("1300 imported, 1200 already exist, 0 rejected\n"));
    assert!(data.succeed(&IMPORT, &all).starts_with("0 imported, 2500 already exist, 0 rejected\n"));
    let bytes: usize = (0..2_500).map(|number: usize| format!("{{\"n\":{number}}}").len()).sum();
    assert_eq!(data.succeed(&["documents", "list"], ""), format!("items\t2500\t{bytes}\n"));
}

#[test]
fn an_import_that_is_killed_is_continued() {
    let data = Data::new("documents-killed");
    let file = data.directory.join("items.json");
    let all = lines(0..60_000, |number| format!("{{\"_id\":\"{number:06}\",\"n\":{number}}}\n"));
    super::write(&file, all.as_bytes());
    let import = ["documents", "import", file.to_str().unwrap(), "--collection", "items"];
    let mut process = data.bolide(&import).stdout(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(700));
    process.kill().unwrap();
    process.wait().unwrap();
    let again = data.succeed(&import, "");
    assert!(again.contains(" imported, ") && again.contains(", 0 rejected"), "{again}");
    let exported = data.succeed(&EXPORT, "");
    assert_eq!(exported, all, "none is missing, and none is there twice");
}

#[test]
fn documents_that_differ_are_kept_and_reported_or_replaced() {
    let data = Data::new("documents-replace");
    data.succeed(&IMPORT, "{\"_id\":\"a\",\"n\":1}\n{\"_id\":\"b\",\"n\":1}\n");
    let changed = "{\"_id\":\"a\",\"n\":1}\n{\"_id\":\"b\",\"n\":2}\n";
    let kept = data.run(&IMPORT, changed);
    assert_eq!((kept.status.code(), &*summary(&kept)), (Some(1), "0 imported, 1 already exist, 0 rejected"));
    let said = complaint(&kept);
    assert!(said.contains("line 2: the document `b` exists with other contents; --replace replaces it"), "{said}");
    assert!(data.succeed(&EXPORT, "").contains("{\"_id\":\"b\",\"n\":1}"));
    let replaced = data.succeed(&[&IMPORT[..], &["--replace"]].concat(), changed);
    assert!(replaced.contains("       1 replaced\n"), "{replaced}");
    assert_eq!(data.succeed(&EXPORT, ""), changed);
}

#[test]
fn malformed_documents_are_reported_with_their_line_and_the_others_imported() {
    let data = Data::new("documents-malformed");
    let large = format!("{{\"_id\":\"large\",\"text\":\"{}\"}}", "x".repeat(1000));
    let lines =
        [r#"{"_id":"a"}"#, r#"{"_id":"#, "5", r#"{"_id":[1]}"#, r#"{"_id":"b","at":{"$oid":"x"}}"#, &large, "{}"];
    let limited = [&IMPORT[..], &["--max-document-bytes", "500"]].concat();
    let output = data.run(&limited, &lines.join("\n"));
    assert_eq!((output.status.code(), &*summary(&output)), (Some(1), "2 imported, 0 already exist, 5 rejected"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("       1 without `_id`"));
    let said = complaint(&output);
    for (line, reason) in [
        (2, "EOF while parsing"),
        (3, "a document must be an object"),
        (4, "`_id` must be"),
        (5, "Invalid hexadecimal string"),
        (6, "the document `large` of `items` exceeds the limit `max_document_bytes` of 500"),
    ] {
        assert!(said.contains(&format!("line {line}: {reason}")), "{line}: {said}");
    }
    assert_eq!(data.succeed(&EXPORT, "").lines().count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_keeps_the_indexes_of_the_application() {
    let data = Data::new("documents-indexes");
    let declared = || {
        let items = Collection::stored("items").index(Index::on("rid").and_descending("ts"));
        items.index(Index::on("key").unique())
    };
    let items = opened(&data, declared()).await;
    let first = Update::new().set("key", "1").set("rid", "general").set("ts", 0);
    assert_eq!(items.1.upsert("first", first).await.unwrap(), Upserted::Inserted);
    let of_room =
        |items: &Collection| items.find(Filter::eq("rid", "general")).sort("ts", Direction::Descending).limit(2);
    while of_room(&items.1).explain().await.unwrap().index.is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    closed(&data, items).await;

    let added = lines(2..2_000, |number| {
        format!("{{\"_id\":\"{number}\",\"key\":\"{number}\",\"rid\":\"general\",\"ts\":{number}}}\n")
    });
    let output = data.run(&IMPORT, &format!("{added}{{\"_id\":\"other\",\"key\":\"1\"}}"));
    assert_eq!(summary(&output), "1998 imported, 0 already exist, 1 rejected", "{}", complaint(&output));
    let refused = "line 1999: the collection `items` already has a document with the same `key unique`: `first`";
    assert!(complaint(&output).contains(refused), "{}", complaint(&output));

    let items = opened(&data, declared()).await;
    let explanation = of_room(&items.1).explain().await.unwrap();
    assert!(explanation.index.is_some(), "it is not built again");
    let newest = of_room(&items.1).fetch().await.unwrap();
    assert_eq!(newest.iter().map(|item| item["ts"].clone()).collect::<Vec<_>>(), [Ejson::from(1999), 1998.into()]);
    assert_eq!(items.1.find(Filter::eq("key", "777")).fetch().await.unwrap().len(), 1);
}

#[test]
fn a_database_in_use_or_a_missing_one_is_told() {
    let data = Data::new("documents-in-use");
    let file = data.directory.join("exported.json");
    for command in [&EXPORT[..], &["documents", "list"]] {
        let output = data.run(command, "");
        assert!(!output.status.success());
        assert!(complaint(&output).contains("there is no database"), "{}", complaint(&output));
    }
    let server = data.serve();
    for command in [&IMPORT[..], &EXPORT[..], &["documents", "list"]] {
        let output = data.run(command, "{}");
        assert!(!output.status.success());
        assert!(complaint(&output).contains("is used by another process; stop that one"), "{}", complaint(&output));
    }
    server.kill();
    let unknown = data.run(&[&EXPORT[..], &[file.to_str().unwrap()]].concat(), "");
    assert!(complaint(&unknown).contains("there is no collection `items`"), "{}", complaint(&unknown));
    assert!(!file.exists());
}

#[test]
fn an_export_stops_quietly_when_its_reader_goes_away() {
    let data = Data::new("documents-pipe");
    let all = lines(0..20_000, |number| format!("{{\"_id\":{number},\"text\":\"some text\"}}\n"));
    data.succeed(&IMPORT, &all);
    let mut process = data.bolide(&EXPORT).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::with_capacity(64, process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("{\"_id\":"));
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", complaint(&output));
}

#[cfg(target_os = "linux")]
#[test]
fn neither_an_import_nor_an_export_holds_the_file_in_memory() {
    let data = Data::new("documents-memory");
    let few = peaks(&data, "few", 20_000);
    let many = peaks(&data, "many", 200_000);
    // Some of it grows to its limit: the caches of the database, and what the allocator keeps.
    for (few, many) in few.into_iter().zip(many) {
        assert!(many < few * 2 && many < 200 << 10, "{few} KiB for 20,000 documents, {many} KiB for 200,000");
    }
}

/// Imports and exports documents of 250 bytes. Returns the most memory that each took, in KiB.
#[cfg(target_os = "linux")]
fn peaks(data: &Data, collection: &str, documents: u32) -> [u64; 2] {
    let [file, copy] = ["items.json", "copy.json"].map(|name| data.directory.join(name).to_str().unwrap().to_owned());
    let filling = "x".repeat(220);
    let mut output = std::io::BufWriter::new(std::fs::File::create(&file).unwrap());
    for number in 0..documents {
        writeln!(output, "{{\"_id\":\"{number:06}\",\"text\":\"{filling}\"}}").unwrap();
    }
    drop(output);
    let import = peak_of(data, &["documents", "import", &file, "--collection", collection]);
    let export = peak_of(data, &["documents", "export", "--collection", collection, &copy]);
    assert!(std::fs::read(&file).unwrap() == std::fs::read(&copy).unwrap(), "all documents were copied");
    [import, export]
}

/// Runs a command, and returns the most memory that it had, in KiB.
#[cfg(target_os = "linux")]
fn peak_of(data: &Data, arguments: &[&str]) -> u64 {
    let mut process = data.bolide(arguments).stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", process.id());
    let mut peak = 0;
    while process.try_wait().unwrap().is_none() {
        peak = peak_in(Path::new(&status)).unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(process.wait().unwrap().success());
    peak
}

#[cfg(target_os = "linux")]
fn peak_in(status: &Path) -> Option<u64> {
    let status = std::fs::read_to_string(status).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
