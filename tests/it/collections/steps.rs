//! The random steps of histories.

use bolide::collection::Index;
use bolide::prelude::*;
use quickcheck::{Arbitrary, Gen};

use super::model::{Change, Condition, Projection, Selection, Text, Write};

const IDS: [Text; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const FIELDS: [Text; 4] = ["a", "b", "n", "n.x"];
/// Values: of several kinds, some equal, some that cannot be compared.
const VALUES: [Text; 16] = [
    "1",
    "2",
    "1.0",
    "-1.5",
    "9007199254740992",
    "9007199254740993",
    "\"1\"",
    "\"s\"",
    "null",
    "true",
    "[1,2]",
    "[\"s\"]",
    r#"{"x":1}"#,
    r#"[{"x":1},{"x":[2]}]"#,
    r#"{"$date":5}"#,
    r#"{"$InfNaN":0}"#,
];
/// The field of the unique index.
pub(super) const UNIQUE: Text = "b";
/// The number of documents that a batch can add in addition, to push others out of windows.
const MANY: [Text; 40] = [
    "m00", "m01", "m02", "m03", "m04", "m05", "m06", "m07", "m08", "m09", "m10", "m11", "m12", "m13", "m14", "m15",
    "m16", "m17", "m18", "m19", "m20", "m21", "m22", "m23", "m24", "m25", "m26", "m27", "m28", "m29", "m30", "m31",
    "m32", "m33", "m34", "m35", "m36", "m37", "m38", "m39",
];

#[derive(Clone, Debug)]
pub(super) enum Step {
    Write(Write),
    UpdateMany(Condition, Vec<Change>),
    RemoveMany(Condition),
    Batch(Vec<Write>),
    /// A batch over both collections.
    BatchOfBoth(Vec<(Side, Write)>),
    /// The app is started again, with other indexes. Documents in memory would be lost, so it does nothing for them.
    Restart(Indexes),
    Find(Selection),
    Subscribe(Selection),
    Stop(usize),
}

/// One of the two collections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Items,
    Notes,
}

/// The indexes of a collection, as bits: one per index that can be declared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Indexes(u8);

impl Indexes {
    pub(super) fn declared(self) -> impl Iterator<Item = Index> {
        let all = [
            Index::on("a"),
            Index::from(["b", "a"]),
            Index::on("a").and_descending("b"),
            Index::on("n.x"),
            Index::from(["n.x", "a", "b"]),
            Index::on(UNIQUE).unique(),
        ];
        all.into_iter().enumerate().filter(move |(bit, _)| self.0 >> bit & 1 == 1).map(|(_, index)| index)
    }

    pub(super) fn is_unique(self) -> bool {
        self.0 >> 5 & 1 == 1
    }

    /// Returns these indexes, with the unique one of others.
    pub(super) fn unique_like(self, others: Self) -> Self {
        Self(self.0 & 31 | others.0 & 32)
    }
}

impl Arbitrary for Indexes {
    fn arbitrary(random: &mut Gen) -> Self {
        Self(u8::arbitrary(random) % 64)
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let Self(bits) = *self;
        Box::new((0..6).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| Self(bits & !(1 << bit))))
    }
}

impl Arbitrary for Step {
    fn arbitrary(random: &mut Gen) -> Self {
        match pick(random, b"WWWWWWWWWWUUDBBBCCCMFFFFSSSSXRR") {
            b'W' => Self::Write(write(random)),
            b'U' => Self::UpdateMany(condition(random, 2), changes(random)),
            b'D' => Self::RemoveMany(condition(random, 2)),
            b'B' => Self::Batch(some(random, 4, write)),
            b'C' => {
                Self::BatchOfBoth(some(random, 5, |random| (pick(random, &[Side::Items, Side::Notes]), write(random))))
            }
            b'R' => Self::Restart(Indexes::arbitrary(random)),
            b'M' => Self::Batch(many(random)),
            b'F' => Self::Find(selection(random)),
            b'S' => Self::Subscribe(selection(random)),
            _ => Self::Stop(usize::arbitrary(random)),
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let Self::Batch(writes) = self else { return Box::new(std::iter::empty()) };
        let (shorter, all) = (0..writes.len(), writes.clone());
        Box::new(shorter.map(move |gone| {
            Self::Batch(
                all.iter().enumerate().filter(|(place, _)| *place != gone).map(|(_, write)| write.clone()).collect(),
            )
        }))
    }
}

/// A batch that makes room in a window, and fills it with more than it keeps.
fn many(random: &mut Gen) -> Vec<Write> {
    let insert = |random: &mut Gen| Write::Upsert(pick(random, &MANY), vec![Change::Set("a", pick(random, &VALUES))]);
    let mut writes = vec![Write::Remove(pick(random, &IDS)), Write::Remove(pick(random, &MANY))];
    writes.extend((0..40).map(|_| insert(random)));
    writes
}

fn write(random: &mut Gen) -> Write {
    let id = pick(random, &IDS);
    match pick(random, b"IIIIUUUCPPR") {
        b'I' => Write::Insert(id, some(random, 3, |random| (pick(random, &["a", "b", "n"]), pick(random, &VALUES)))),
        b'U' => Write::Update(id, changes(random)),
        b'C' => Write::UpdateIf(id, condition(random, 1), changes(random)),
        b'P' => Write::Upsert(id, changes(random)),
        _ => Write::Remove(id),
    }
}

fn changes(random: &mut Gen) -> Vec<Change> {
    some(random, 3, |random| {
        let (field, value) = (pick(random, &FIELDS), pick(random, &VALUES));
        match pick(random, b"SSSSSOUUIAQP") {
            b'S' => Change::Set(field, value),
            b'O' => Change::SetOnInsert(field, value),
            b'U' => Change::Unset(field),
            b'I' => Change::Increment(field, pick(random, &["1", "-2", "0.5", "0"])),
            b'A' => Change::Push(field, value),
            b'Q' => Change::PushUnique(field, value),
            _ => Change::Pull(field, value),
        }
    })
}

fn selection(random: &mut Gen) -> Selection {
    Selection {
        condition: condition(random, 2),
        sort: some(random, 2, |random| {
            let directions = [Direction::Ascending, Direction::Descending];
            (pick(random, &["a", "b", "n.x", "_id"]), pick(random, &directions))
        }),
        skip: pick(random, &[0, 0, 1, 3]),
        limit: pick(random, &[None, None, Some(0), Some(1), Some(2), Some(5)]),
        projection: match pick(random, b"EEOW") {
            b'E' => Projection::Everything,
            b'O' => Projection::Only(pick(random, &["a", "n"])),
            _ => Projection::Without(pick(random, &["a", "b"])),
        },
    }
}

fn condition(random: &mut Gen, depth: usize) -> Condition {
    let (field, value) = (pick(random, &FIELDS), pick(random, &VALUES));
    let kinds: &[u8] = if depth == 0 { b"IEEEEN<lg>X" } else { b"IEEEEN<lg>X!AAAOO*****" };
    match pick(random, kinds) {
        b'I' => Condition::Ids(some(random, 3, |random| pick(random, &IDS))),
        b'E' => Condition::Equals(field, value),
        b'N' => Condition::In(field, some(random, 3, |random| pick(random, &VALUES))),
        b'<' => Condition::Below(field, value),
        b'l' => Condition::AtMost(field, value),
        b'g' => Condition::AtLeast(field, value),
        b'>' => Condition::Above(field, value),
        b'X' => Condition::Exists(field),
        b'!' => Condition::Not(Box::new(condition(random, depth - 1))),
        b'A' => Condition::All(some(random, 3, |random| condition(random, depth - 1))),
        b'O' => Condition::Any(some(random, 2, |random| condition(random, depth - 1))),
        _ => Condition::All(Vec::new()),
    }
}

/// Returns up to `maximum` values.
fn some<T>(random: &mut Gen, maximum: usize, mut make: impl FnMut(&mut Gen) -> T) -> Vec<T> {
    let count = usize::arbitrary(random) % (maximum + 1);
    (0..count).map(|_| make(random)).collect()
}

fn pick<T: Copy>(random: &mut Gen, choices: &[T]) -> T {
    *random.choose(choices).expect("a choice")
}
