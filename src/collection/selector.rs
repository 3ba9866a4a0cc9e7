//! Selectors: filters as clients write them, in the language of `MongoDB`.

use bolide_protocol::Ejson;
use bolide_protocol::ejson::Object;

use super::error::shortened;
use super::filter::{Filter, ID};

/// The maximum depth of `$and`, `$or`, `$nor` and `$not`.
const MAX_DEPTH: usize = 8;

/// The maximum number of conditions of a selector. Each value of `$in` and `$nin` counts as one.
const MAX_CONDITIONS: usize = 1_000;

/// Why a selector is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// The operator is not known, or cannot be used at this place.
    #[error("the operator `{0}` is not supported here")]
    Operator(String),
    /// An operator has a value of another kind than it needs.
    #[error("`{operator}` needs {expected}")]
    Operand {
        /// The operator.
        operator: String,
        /// What it needs.
        expected: &'static str,
    },
    /// The selector is nested deeper than 8 levels.
    #[error("a selector can be nested {MAX_DEPTH} levels deep")]
    TooDeep,
    /// The selector has more than 1,000 conditions and values.
    #[error("a selector can have {MAX_CONDITIONS} conditions and values")]
    TooLarge,
    /// A field is empty.
    #[error("the name of a field is empty")]
    EmptyField,
}

/// Reads one selector, and counts its conditions.
struct Reader {
    conditions: usize,
}

impl Filter {
    /// Reads a filter from a selector in the language of `MongoDB`, for example one that a client has sent.
    ///
    /// The operators are `$eq`, `$ne`, `$in`, `$nin`, `$lt`, `$lte`, `$gt`, `$gte`, `$exists`, `$not`, `$and`, `$or` and
    /// `$nor`. Everything else is refused before it costs anything, and so are selectors that are too deep or too large.
    /// A publication should name the fields that clients may select by.
    ///
    /// ```
    /// use bolide::prelude::*;
    /// use bolide::protocol::ejson::Object;
    ///
    /// let selector: Object = serde_json::from_str(r#"{"rid": "general", "ts": {"$gt": {"$date": 5}}}"#)?;
    /// assert!(Filter::from_selector(&selector).is_ok());
    /// let selector: Object = serde_json::from_str(r#"{"$where": "true"}"#)?;
    /// assert_eq!(Filter::from_selector(&selector).unwrap_err().to_string(), "the operator `$where` is not supported here");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`SelectorError`], whose text can be sent to the client.
    pub fn from_selector(selector: &Object) -> Result<Self, SelectorError> {
        Reader { conditions: 0 }.selector(selector, 0)
    }
}

impl Reader {
    fn selector(&mut self, selector: &Object, depth: usize) -> Result<Filter, SelectorError> {
        if depth > MAX_DEPTH {
            return Err(SelectorError::TooDeep);
        }
        let conditions = selector.iter().map(|(name, value)| match name.as_str() {
            "" => Err(SelectorError::EmptyField),
            "$and" => Ok(Filter::all(self.selectors(name, value, depth)?)),
            "$or" => Ok(Filter::any(self.selectors(name, value, depth)?)),
            "$nor" => Ok(Filter::not(Filter::any(self.selectors(name, value, depth)?))),
            operator if operator.starts_with('$') => Err(SelectorError::Operator(shortened(operator))),
            field => self.field(field, value, depth),
        });
        Ok(Filter::all(conditions.collect::<Result<Vec<_>, _>>()?))
    }

    fn selectors(&mut self, operator: &str, value: &Ejson, depth: usize) -> Result<Vec<Filter>, SelectorError> {
        let expected = "a list of selectors that is not empty";
        let refused = || SelectorError::Operand { operator: operator.to_owned(), expected };
        match value {
            Ejson::Array(selectors) if !selectors.is_empty() => {
                self.count(selectors.len())?;
                let read = |selector: &Ejson| match selector {
                    Ejson::Object(selector) => self.selector(selector, depth + 1),
                    _ => Err(refused()),
                };
                selectors.iter().map(read).collect()
            }
            _ => Err(refused()),
        }
    }

    /// Reads what is required of a field: a value, or an object of operators.
    fn field(&mut self, field: &str, value: &Ejson, depth: usize) -> Result<Filter, SelectorError> {
        match value {
            Ejson::Object(operators) if operators.keys().any(|name| name.starts_with('$')) => {
                let conditions = operators.iter().map(|(operator, value)| self.operator(field, operator, value, depth));
                Ok(Filter::all(conditions.collect::<Result<Vec<_>, _>>()?))
            }
            Ejson::Regexp(_) => Err(SelectorError::Operator("$regex".to_owned())),
            value => {
                self.count(1)?;
                Ok(Filter::eq(field, value.clone()))
            }
        }
    }

    fn operator(&mut self, field: &str, operator: &str, value: &Ejson, depth: usize) -> Result<Filter, SelectorError> {
        self.count(1)?;
        let value = || value.clone();
        Ok(match operator {
            "$eq" => Filter::eq(field, value()),
            "$ne" => Filter::not(Filter::eq(field, value())),
            "$in" => Filter::is_in(field, self.values(operator, value())?),
            "$nin" => Filter::not(Filter::is_in(field, self.values(operator, value())?)),
            "$lt" | "$lte" | "$gt" | "$gte" if field == ID => return Err(SelectorError::Operator(operator.to_owned())),
            "$lt" => Filter::below(field, value()),
            "$lte" => Filter::at_most(field, value()),
            "$gt" => Filter::above(field, value()),
            "$gte" => Filter::at_least(field, value()),
            "$exists" => match value() {
                Ejson::Bool(true) => Filter::exists(field),
                Ejson::Bool(false) => Filter::not(Filter::exists(field)),
                _ => return Err(SelectorError::Operand { operator: operator.to_owned(), expected: "a boolean" }),
            },
            "$not" if depth < MAX_DEPTH => match value() {
                Ejson::Object(operators) => Filter::not(self.field(field, &Ejson::Object(operators), depth + 1)?),
                _ => return Err(SelectorError::Operand { operator: operator.to_owned(), expected: "operators" }),
            },
            "$not" => return Err(SelectorError::TooDeep),
            _ => return Err(SelectorError::Operator(shortened(operator))),
        })
    }

    fn values(&mut self, operator: &str, value: Ejson) -> Result<Vec<Ejson>, SelectorError> {
        let Ejson::Array(values) = value else {
            return Err(SelectorError::Operand { operator: operator.to_owned(), expected: "a list" });
        };
        self.count(values.len())?;
        Ok(values)
    }

    fn count(&mut self, conditions: usize) -> Result<(), SelectorError> {
        self.conditions = self.conditions.saturating_add(conditions);
        if self.conditions > MAX_CONDITIONS { Err(SelectorError::TooLarge) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(selector: &str) -> Result<Filter, SelectorError> {
        Filter::from_selector(&serde_json::from_str(selector).expect("a selector"))
    }

    fn matches(selector: &str, document: &str) -> bool {
        let document: Object = serde_json::from_str(document).expect("a document");
        read(selector).expect("a good selector").matches("id", &document)
    }

    #[test]
    fn operators_mean_what_they_mean_in_mongodb() {
        for (selector, yes, no) in [
            (r#"{"a":1,"b":2}"#, r#"{"a":1,"b":2}"#, r#"{"a":1,"b":3}"#),
            (r#"{"a":{"$ne":1}}"#, r#"{"a":[2]}"#, r#"{"a":[2,1]}"#),
            (r#"{"a":{"$in":[1,2]}}"#, r#"{"a":2}"#, r#"{"a":3}"#),
            (r#"{"a":{"$nin":[1,2]}}"#, r#"{"a":3}"#, r#"{"a":1}"#),
            (r#"{"a":{"$gt":1,"$lte":3}}"#, r#"{"a":3}"#, r#"{"a":1}"#),
            (r#"{"a":{"$exists":false}}"#, r#"{"b":1}"#, r#"{"a":null}"#),
            (r#"{"a":{"$not":{"$gte":5}}}"#, r#"{"a":4}"#, r#"{"a":5}"#),
            (r#"{"$or":[{"a":1},{"b":1}]}"#, r#"{"b":1}"#, r#"{"a":2}"#),
            (r#"{"$nor":[{"a":1},{"b":1}]}"#, r#"{"a":2}"#, r#"{"b":1}"#),
            (r#"{"$and":[{"a":1},{"b":1}]}"#, r#"{"a":1,"b":1}"#, r#"{"a":1}"#),
            (r#"{"a":{"b":1}}"#, r#"{"a":{"b":1}}"#, r#"{"a":{"b":1,"c":2}}"#),
        ] {
            assert!(matches(selector, yes), "{selector} {yes}");
            assert!(!matches(selector, no), "{selector} {no}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for selector in [
            r#"{"$where":"1"}"#,
            r#"{"a":{"$regex":"x"}}"#,
            r#"{"a":{"$elemMatch":{"b":1}}}"#,
            r#"{"a":{"$gt":1,"b":2}}"#,
            r#"{"$and":[]}"#,
            r#"{"_id":{"$gt":"a"}}"#,
            r#"{"$or":{"a":1}}"#,
            r#"{"$or":[1]}"#,
            r#"{"a":{"$in":1}}"#,
            r#"{"a":{"$exists":1}}"#,
            r#"{"a":{"$not":1}}"#,
            r#"{"":1}"#,
        ] {
            assert!(read(selector).is_err(), "{selector}");
        }
    }

    #[test]
    fn deep_and_large_selectors_are_refused() {
        let nested = |depth: usize| format!("{}{{\"a\":1}}{}", r#"{"$and":["#.repeat(depth), "]}".repeat(depth));
        assert!(read(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(read(&nested(MAX_DEPTH + 1)), Err(SelectorError::TooDeep));
        let nots = |depth: usize| format!("{{\"a\":{}1{}}}", r#"{"$not":{"$eq":"#.repeat(depth), "}}".repeat(depth));
        assert!(read(&nots(1)).is_ok());
        let list = |count: usize| format!("{{\"a\":{{\"$in\":[{}]}}}}", vec!["1"; count].join(","));
        assert!(read(&list(MAX_CONDITIONS - 1)).is_ok());
        assert_eq!(read(&list(MAX_CONDITIONS)), Err(SelectorError::TooLarge));
        let empty = format!("{{\"$or\":[{}]}}", vec!["{}"; MAX_CONDITIONS + 1].join(","));
        assert_eq!(read(&empty), Err(SelectorError::TooLarge));
    }

    #[test]
    fn a_refusal_repeats_only_the_beginning_of_an_operator() {
        let long = "é".repeat(100_000);
        for selector in [
            format!(r#"{{"${long}":1}}"#),
            format!(r#"{{"a":{{"${long}":1}}}}"#),
            format!(r#"{{"a":{{"$lt":1,"{long}":1}}}}"#),
        ] {
            let refusal = read(&selector).unwrap_err().to_string();
            assert!(refusal.contains("éé") && refusal.len() < 1_000, "{} bytes", refusal.len());
        }
    }
}
