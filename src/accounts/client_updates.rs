//! `/users/updateAsync` and `/users/update`: what Meteor's clients send for `Meteor.users.update`. As in Meteor, users may
//! set their own `profile` or parts of it, and nothing else. An application registers a method of the same name to allow
//! more, or less.

use std::sync::Arc;

use bolide_protocol::ejson::Object;
use bolide_protocol::{DdpError, Ejson};

use super::AccountsCore;
use super::profile_bounds::ProfileBounds;
use super::protected;
use crate::call::{Context, MethodError, MethodResult, Parameters};
use crate::registry::Registry;
use crate::user::UserId;

/// How often an update is tried while other calls change the same profile.
const ATTEMPTS: usize = 5;

/// One entry of `$set`: a path that begins with `profile`, and the new value.
struct Setting<'call> {
    /// The names below `profile`. None for the profile itself.
    path: Vec<&'call str>,
    value: &'call Ejson,
}

pub(super) fn register(core: &Arc<AccountsCore>, registry: &mut Registry) {
    for name in ["/users/updateAsync", "/users/update"] {
        let core = Arc::clone(core);
        registry.method_unless_there(
            name,
            protected::policy(name),
            async move |context: Context, given: Parameters| update(&core, &context, &given).await,
        );
    }
}

/// Updates the profile of the user who calls, and returns the number of changed documents, 1.
async fn update(core: &AccountsCore, context: &Context, given: &Parameters) -> MethodResult<i32> {
    let (selector, modifier, options): (Ejson, Ejson, Ejson) = (given.get(0)?, given.get(1)?, given.get(2)?);
    let id = context.user_id().filter(|id| is_only(&selector, id)).ok_or_else(access_denied)?;
    if options.get("upsert").is_some_and(|upsert| *upsert != Ejson::Bool(false)) {
        return Err(access_denied().into());
    }
    let settings = settings(&modifier).ok_or_else(access_denied)?;
    for _ in 0..ATTEMPTS {
        let before = core.users.active(&id).await?.ok_or_else(access_denied)?.profile;
        let after = core.profile_bounds.updated(before.clone(), &settings)?;
        if core.store.replace_profile(&id, before.as_ref(), &after).await? {
            core.users.changed(&id).await;
            return Ok(1);
        }
    }
    Err(MethodError::new("error-changed-meanwhile", "The profile is being changed by other calls. Try again"))
}

impl ProfileBounds {
    /// Returns a profile with these settings.
    fn updated(&self, before: Option<Object>, settings: &[Setting<'_>]) -> Result<Object, DdpError> {
        let mut profile = Ejson::Object(before.unwrap_or_default());
        for setting in settings {
            // Checked first: a path of a million parts must not become a million objects.
            self.check_path(&setting.path)?;
            put(&mut profile, &setting.path, setting.value)?;
        }
        let Ejson::Object(profile) = profile else { return Err(DdpError::match_failed()) };
        self.check(&profile)?;
        Ok(profile)
    }
}

/// Returns whether a selector names this user, and nothing else.
fn is_only(selector: &Ejson, id: &UserId) -> bool {
    let named = match selector {
        Ejson::Object(object) if object.len() == 1 => object.get("_id"),
        other => Some(other),
    };
    named.and_then(Ejson::as_str) == Some(id.as_str())
}

/// Reads `{$set: {…}}`. Returns `None` if it sets something other than the profile, or does something else.
fn settings(modifier: &Ejson) -> Option<Vec<Setting<'_>>> {
    let set = modifier.as_object().filter(|modifier| modifier.len() == 1)?.get("$set")?.as_object()?;
    if set.is_empty() {
        return None;
    }
    set.iter()
        .map(|(path, value)| {
            let mut parts = path.split('.');
            let path: Vec<&str> = (parts.next() == Some("profile")).then(|| parts.collect())?;
            path.iter().all(|part| !part.is_empty() && !part.starts_with('$')).then_some(Setting { path, value })
        })
        .collect()
}

/// Sets what is at a path, as `MongoDB` does: objects on the way are made, and a number is a place in a list, up to its end.
fn put(target: &mut Ejson, path: &[&str], value: &Ejson) -> Result<(), DdpError> {
    let Some((first, rest)) = path.split_first() else {
        *target = value.clone();
        return Ok(());
    };
    let inner = match target {
        Ejson::Object(object) => object.entry((*first).to_owned()).or_insert_with(|| Ejson::Object(Object::default())),
        Ejson::Array(list) => {
            let place: usize = first.parse().map_err(|_| no_such_place(first))?;
            if place == list.len() {
                list.push(Ejson::Object(Object::default()));
            }
            list.get_mut(place).ok_or_else(|| no_such_place(first))?
        }
        _ => return Err(no_such_place(first)),
    };
    put(inner, rest, value)
}

fn access_denied() -> DdpError {
    DdpError::new(403, "Access denied")
}

/// Returns the code that Meteor gives errors of the database.
fn no_such_place(name: &str) -> DdpError {
    DdpError::new(409, format!("Cannot create field '{name}' in this value"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::limits::Limits;

    fn ejson(value: &Value) -> Ejson {
        Ejson::from_typed(value).unwrap()
    }

    fn updated(before: &Value, modifier: &Value) -> Result<Value, Value> {
        let (before, modifier) = (ejson(before), ejson(modifier));
        let settings = settings(&modifier).ok_or_else(|| json!(403))?;
        let after =
            ProfileBounds::new(&Limits::default(), &Arc::default()).updated(before.as_object().cloned(), &settings);
        after.map(|after| serde_json::to_value(after).unwrap()).map_err(|error| json!(error.error))
    }

    #[test]
    fn the_profile_and_parts_of_it_are_set() {
        let table = [
            (json!(null), json!({ "profile": { "a": 1 } }), json!({ "a": 1 })),
            (json!({ "a": 1 }), json!({ "profile": {} }), json!({})),
            (json!({ "a": 1 }), json!({ "profile.b": 2 }), json!({ "a": 1, "b": 2 })),
            (json!(null), json!({ "profile.a.b": 1, "profile.a.c": 2 }), json!({ "a": { "b": 1, "c": 2 } })),
            (json!({ "list": [1] }), json!({ "profile.list.0": 2, "profile.list.1": 3 }), json!({ "list": [2, 3] })),
        ];
        for (before, set, after) in table {
            assert_eq!(updated(&before, &json!({ "$set": set })), Ok(after), "{before} {set}");
        }
    }

    #[test]
    fn everything_else_is_denied() {
        for modifier in [
            json!({}),
            json!({ "$set": {} }),
            json!({ "$set": [] }),
            json!({ "$set": { "roles": ["admin"] } }),
            json!({ "$set": { "profile": {}, "roles": ["admin"] } }),
            json!({ "$set": { "profiles": {} } }),
            json!({ "$set": { "profile.": 1 } }),
            json!({ "$set": { "profile..a": 1 } }),
            json!({ "$set": { "profile.$": 1 } }),
            json!({ "$set": { "": 1 } }),
            json!({ "$set": { "profile.a": 1 }, "$unset": { "username": 1 } }),
            json!({ "$rename": { "profile": "roles" } }),
            json!({ "profile": {} }),
            json!("profile"),
        ] {
            assert_eq!(updated(&json!({}), &modifier), Err(json!(403)), "{modifier}");
        }
    }

    #[test]
    fn a_profile_stays_an_object_within_its_bounds() {
        let set = |set: Value| updated(&json!({ "a": 1, "list": [] }), &json!({ "$set": set }));
        for not_an_object in [json!(null), json!("Ada"), json!([1])] {
            assert_eq!(set(json!({ "profile": not_an_object })), Err(json!(400)));
        }
        assert_eq!(set(json!({ "profile.b": "x".repeat(9_000) })), Err(json!(400)));
        assert_eq!(set(json!({ format!("profile{}", ".a".repeat(500_000)): 1 })), Err(json!(400)));
        assert_eq!(set(json!({ "profile.a.b": 1 })), Err(json!(409)));
        assert_eq!(set(json!({ "profile.list.1": 1 })), Err(json!(409)));
        assert_eq!(set(json!({ "profile.list.x": 1 })), Err(json!(409)));
    }

    #[test]
    fn a_selector_must_be_the_own_id_alone() {
        let own = UserId::from("ada");
        assert!(is_only(&ejson(&json!({ "_id": "ada" })), &own) && is_only(&ejson(&json!("ada")), &own));
        for other in [
            json!({ "_id": "bob" }),
            json!({ "_id": { "$in": ["ada"] } }),
            json!({ "_id": "ada", "x": 1 }),
            json!({}),
            json!(null),
            json!({ "username": "ada" }),
        ] {
            assert!(!is_only(&ejson(&other), &own), "{other}");
        }
    }
}
