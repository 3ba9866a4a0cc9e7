//! Paths: where the values of a field such as `address.city` stand in a document, and how they are set.

use bolide_protocol::Ejson;
use bolide_protocol::ejson::Object;

/// Returns the value at a path, or `None` if the document does not have the field. A field whose name is the whole path
/// comes first; elements of arrays are not entered.
pub(super) fn value_at<'document>(document: &'document Object, path: &str) -> Option<&'document Ejson> {
    if let Some(value) = document.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    match document.get(first)? {
        Ejson::Object(inner) => value_at(inner, rest),
        _ => None,
    }
}

/// Calls `visit` with the values in arrays to which a filter for equality compares as well: the elements of an array at
/// the path, and the values at the rest of the path in objects that are elements of an array. Stops and returns `true`
/// when `visit` returns `true`.
pub(super) fn any_element(document: &Object, path: &str, visit: &mut impl FnMut(&Ejson) -> bool) -> bool {
    if let Some(value) = document.get(path) {
        return matches!(value, Ejson::Array(elements) if elements.iter().any(visit));
    }
    let Some((first, rest)) = path.split_once('.') else { return false };
    match document.get(first) {
        Some(Ejson::Object(inner)) => any_element(inner, rest, visit),
        Some(Ejson::Array(elements)) => elements.iter().any(|element| match element {
            Ejson::Object(inner) => value_at(inner, rest).is_some_and(&mut *visit) || any_element(inner, rest, visit),
            _ => false,
        }),
        _ => false,
    }
}

/// Why a path cannot be followed in a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoObject {
    /// The beginning of the path that names another kind of value than an object.
    pub(super) path: String,
}

/// Returns the object that holds the last part of a path, and this part. Makes missing objects.
pub(super) fn holder_of<'document, 'path>(
    document: &'document mut Object,
    path: &'path str,
) -> Result<(&'document mut Object, &'path str), NoObject> {
    let mut holder = document;
    let mut rest = path;
    while !holder.contains_key(rest)
        && let Some((first, after)) = rest.split_once('.')
    {
        let inner = holder.entry(first.to_owned()).or_insert_with(|| Ejson::Object(Object::new()));
        let Ejson::Object(inner) = inner else {
            return Err(NoObject { path: path[..path.len() - after.len() - 1].to_owned() });
        };
        holder = inner;
        rest = after;
    }
    Ok((holder, rest))
}

/// Removes the value at a path, if it is there.
pub(super) fn remove_at(document: &mut Object, path: &str) {
    if document.shift_remove(path).is_some() {
        return;
    }
    if let Some((first, rest)) = path.split_once('.')
        && let Some(Ejson::Object(inner)) = document.get_mut(first)
    {
        remove_at(inner, rest);
    }
}
