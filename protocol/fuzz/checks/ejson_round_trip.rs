//! The properties of every value that is written as EJSON. The fuzzer checks them, and a test checks them for the
//! corpus.

use bolide_protocol::Ejson;
use bolide_protocol::ejson::{Binary, Custom, CustomTypes, Date, ObjectId, Regexp, from_raw, to_raw};

/// A value that is built from the input is read from its text as the same value, by every reader.
pub(super) fn ejson_round_trip(input: &[u8]) {
    let types = CustomTypes::default().with("t");
    let value = Source(input).value(0);
    let raw = value.to_raw();
    assert_eq!(Ejson::parse(raw.get(), &types).unwrap(), value);
    assert_eq!(from_raw::<Ejson>(&raw, &types).unwrap(), value);
    assert_eq!(to_raw(&value).unwrap(), raw);
    let by_serde_json = serde_json::to_string(&value).unwrap();
    assert_eq!(serde_json::from_str::<Ejson>(&by_serde_json).unwrap(), value);
    let canonical = value.to_canonical_string();
    assert_eq!(Ejson::parse(&canonical, &types).unwrap(), value);
    assert_eq!(Ejson::from_typed(&value).unwrap(), value);
    assert_eq!(value.clone().into_typed::<Ejson>().unwrap(), value);
}

/// Keys that make an object look like a form, and some that do not.
const KEYS: [&str; 10] = ["$date", "$InfNaN", "$binary", "$escape", "$regexp", "$flags", "$type", "$value", "$x", "a"];

/// The rest of the input. It yields zeros when it is used up.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn value(&mut self, depth: usize) -> Ejson {
        let kinds = if depth < 12 { 11 } else { 9 };
        match self.byte() % kinds {
            0 => Ejson::Null,
            1 => Ejson::Bool(self.byte() < 128),
            2 => Ejson::from(i64::from_le_bytes(self.bytes())),
            3 => self.float(),
            4 => Ejson::from(self.text()),
            5 => Date::from_milliseconds(i64::from_le_bytes(self.bytes()) >> 11).into(),
            6 => Binary::from(self.text().into_bytes()).into(),
            7 => ObjectId::from_bytes(self.bytes()).into(),
            8 => self.regexp(),
            9 => self.list(depth),
            _ => self.object(depth),
        }
    }

    /// Returns a double whose text does not read as a 64-bit integer.
    fn float(&mut self) -> Ejson {
        let float = f64::from_le_bytes(self.bytes());
        if (9e15..1e21).contains(&float.abs()) {
            return Ejson::Null;
        }
        Ejson::from(float)
    }

    fn regexp(&mut self) -> Ejson {
        let (pattern, flags) = (self.text(), self.text());
        Regexp::new(&pattern, &flags).map_or(Ejson::Null, Ejson::from)
    }

    fn list(&mut self, depth: usize) -> Ejson {
        let length = self.byte() % 4;
        Ejson::Array((0..length).map(|_| self.value(depth + 1)).collect())
    }

    fn object(&mut self, depth: usize) -> Ejson {
        let shape = self.byte();
        if shape >= 250 {
            return Custom::new("t", self.text()).into();
        }
        let entry = |_| (self.key(), self.value(depth + 1));
        Ejson::Object((0..shape % 4).map(entry).collect())
    }

    fn key(&mut self) -> String {
        let index = usize::from(self.byte());
        KEYS.get(index % 16).map_or_else(|| self.text(), |key| (*key).to_owned())
    }

    fn text(&mut self) -> String {
        let length = usize::from(self.byte() % 16).min(self.0.len());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    fn bytes<const LENGTH: usize>(&mut self) -> [u8; LENGTH] {
        std::array::from_fn(|_| self.byte())
    }

    fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *byte
    }
}
