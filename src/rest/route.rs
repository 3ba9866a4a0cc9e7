//! [`Route`]: the path of an endpoint, its permission, its limit, its parameters and its result.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::call::{Method, MethodKind};

/// The path of an endpoint below `/api/v1`, and the checks before its handler runs. Usually a path is enough.
///
/// ```
/// use std::time::Duration;
/// use bolide::prelude::*;
/// use bolide::rest::{Field, Route};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Order { id: String, amount: f64 }
///
/// async fn order(_: SignedIn, order: Order) -> MethodResult<f64> {
///     Ok(order.amount)
/// }
///
/// let route = Route::new("items/{id}/order")
///     .summary("Orders an item")
///     .takes([Field::number("amount").about("How many")])
///     .limit(5, Duration::from_secs(60));
/// let app = App::builder().post(route, TwoFactor::required(), order).build()?;
/// # Ok::<(), bolide::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub(super) path: String,
    pub(super) summary: Option<String>,
    pub(super) permission: Option<&'static str>,
    pub(super) limit: Option<(u32, Duration)>,
    pub(super) takes: Vec<Field>,
    pub(super) gives: Vec<Field>,
    pub(super) open_to_enrolment: bool,
    pub(super) returns_own_token: bool,
}

/// A member of an endpoint's parameter or result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub(super) name: &'static str,
    pub(super) kind: FieldKind,
    pub(super) is_required: bool,
    pub(super) about: &'static str,
}

/// The JSON type of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldKind {
    /// Any value.
    Any,
    /// A string.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An array.
    List,
    /// An object.
    Object,
}

/// The HTTP method of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    pub(crate) const fn method_kind(self) -> MethodKind {
        match self {
            Self::Get => MethodKind::Get,
            Self::Post => MethodKind::Post,
            Self::Put => MethodKind::Put,
            Self::Patch => MethodKind::Patch,
            Self::Delete => MethodKind::Delete,
        }
    }
}

/// An endpoint: what answers at a path.
pub(crate) struct Endpoint {
    pub(crate) verb: Verb,
    pub(crate) route: Route,
    pub(super) target: Target,
}

/// What answers.
pub(super) enum Target {
    /// A method, by way of the gate.
    Method(Arc<Method>),
    Login,
    Logout,
    MethodCall,
    AnonymousMethodCall,
}

impl Route {
    /// Describes an endpoint at this path below `/api/v1`. As in axum, `{name}` stands for one part of the path; the handler
    /// receives it as the member `name`.
    #[must_use]
    pub fn new(path: &str) -> Self {
        let path = path.trim_matches('/').to_owned();
        Self {
            path,
            summary: None,
            permission: None,
            limit: None,
            takes: Vec::new(),
            gives: Vec::new(),
            open_to_enrolment: false,
            returns_own_token: false,
        }
    }

    /// Sets a description in one line, for `/api/docs.json`.
    #[must_use]
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = Some(summary.into());
        self
    }

    /// Requires a permission. Users without it receive 403, before they are asked for a second factor.
    #[must_use]
    pub const fn permission(mut self, permission: &'static str) -> Self {
        self.permission = Some(permission);
        self
    }

    /// Sets the maximum number of calls by an address in a time. Default: the settings for all endpoints.
    #[must_use]
    pub const fn limit(mut self, calls: u32, window: Duration) -> Self {
        self.limit = Some((calls, window));
        self
    }

    /// Adds members that the endpoint takes in the body or the query. A missing member, or one of another type, is answered
    /// with 400, before a second factor is asked for. Values of the query are converted to the declared type. Members that
    /// are not declared are passed to the handler; from the query, as strings.
    #[must_use]
    pub fn takes(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.takes.extend(fields);
        self
    }

    /// Adds members of the result other than `success`, for `/api/docs.json`.
    #[must_use]
    pub fn gives(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.gives.extend(fields);
        self
    }

    /// Opens the endpoint to users who must set up a second factor first.
    pub(super) const fn open_to_enrolment(mut self) -> Self {
        self.open_to_enrolment = true;
        self
    }

    /// Adds the login token of the request to the answer, as `token`. Handlers do not see it.
    pub(super) const fn returns_own_token(mut self) -> Self {
        self.returns_own_token = true;
        self
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Returns the names of the parts of the path in braces.
    pub(super) fn path_names(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}

impl From<&str> for Route {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

impl Field {
    const fn new(name: &'static str, kind: FieldKind) -> Self {
        Self { name, kind, is_required: true, about: "" }
    }

    /// Describes a member of any type.
    #[must_use]
    pub const fn any(name: &'static str) -> Self {
        Self::new(name, FieldKind::Any)
    }

    /// Describes a string.
    #[must_use]
    pub const fn text(name: &'static str) -> Self {
        Self::new(name, FieldKind::Text)
    }

    /// Describes a number.
    #[must_use]
    pub const fn number(name: &'static str) -> Self {
        Self::new(name, FieldKind::Number)
    }

    /// Describes a boolean.
    #[must_use]
    pub const fn boolean(name: &'static str) -> Self {
        Self::new(name, FieldKind::Boolean)
    }

    /// Describes an array.
    #[must_use]
    pub const fn list(name: &'static str) -> Self {
        Self::new(name, FieldKind::List)
    }

    /// Describes an object.
    #[must_use]
    pub const fn object(name: &'static str) -> Self {
        Self::new(name, FieldKind::Object)
    }

    /// Makes the member optional: it may be missing or null.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.is_required = false;
        self
    }

    /// Sets a description of the member.
    #[must_use]
    pub const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// Returns what is wrong with this member, as Rocket.Chat's validator does. `None` if it is valid.
    pub(super) fn mistake(&self, fields: &Map<String, Value>) -> Option<Mistake> {
        let Self { name, kind, is_required, .. } = *self;
        let is_empty = |value: &Value| value.is_null() || (kind == FieldKind::Text && value.as_str() == Some(""));
        let is_there = fields.get(name).is_some_and(|value| !is_empty(value));
        match fields.get(name) {
            _ if !is_there && is_required && kind != FieldKind::Any => Some(Mistake::Missing(name)),
            None if is_required => Some(Mistake::Missing(name)),
            Some(value) if is_there && !kind.fits(value) => Some(Mistake::Wrong { name, kind }),
            _ => None,
        }
    }

    /// Returns the value of a text in a query or a path, read as this member's type.
    pub(super) fn read_text(&self, text: String) -> Value {
        let read = match self.kind {
            FieldKind::Number => text.parse::<serde_json::Number>().ok().map(Value::Number),
            FieldKind::Boolean => text.parse::<bool>().ok().map(Value::Bool),
            FieldKind::Any | FieldKind::Text | FieldKind::List | FieldKind::Object => None,
        };
        read.unwrap_or(Value::String(text))
    }
}

/// What is wrong with a member.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    Missing(&'static str),
    Wrong { name: &'static str, kind: FieldKind },
}

impl FieldKind {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Text => value.is_string(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
        }
    }

    /// Returns the name of the type in JSON Schema.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Text => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::List => "array",
            Self::Object => "object",
        }
    }
}

impl Endpoint {
    pub(crate) const fn method(verb: Verb, route: Route, method: Arc<Method>) -> Self {
        Self { verb, route, target: Target::Method(method) }
    }

    pub(super) const fn special(route: Route, target: Target) -> Self {
        Self { verb: Verb::Post, route, target }
    }

    /// Returns the method behind the endpoint. `None` if it is not one.
    pub(super) const fn as_method(&self) -> Option<&Arc<Method>> {
        match &self.target {
            Target::Method(method) => Some(method),
            _ => None,
        }
    }

    /// Opens it to users who must set up a second factor first.
    pub(super) fn open_to_enrolment(&mut self) {
        if let Target::Method(method) = &mut self.target
            && let Some(method) = Arc::get_mut(method)
        {
            method.open_to_enrolment = true;
        }
    }

    pub(crate) fn is_at(&self, verb: Verb, route: &Route) -> bool {
        self.verb == verb && self.route.path == route.path
    }

    /// Returns whether only signed-in users may use it.
    pub(super) fn is_for_users(&self) -> bool {
        match &self.target {
            Target::Method(method) => method.is_for_users() || self.route.permission.is_some(),
            Target::MethodCall | Target::Logout => true,
            Target::Login | Target::AnonymousMethodCall => false,
        }
    }

    /// Returns whether the path has parts in braces that the handler receives.
    pub(super) fn has_path_values(&self) -> bool {
        matches!(self.target, Target::Method(_)) && self.route.path.contains('{')
    }

    /// Returns whether requests are counted here. A `method.call` is counted by the rules of its method.
    pub(super) const fn has_limits(&self) -> bool {
        !matches!(self.target, Target::MethodCall | Target::AnonymousMethodCall)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mistake(field: &Field, body: Value) -> Option<Mistake> {
        let Value::Object(body) = body else { panic!("no object") };
        field.mistake(&body)
    }

    #[test]
    fn braces_mark_the_part_of_a_path_that_changes() {
        let route = Route::new("/items/{id}/order/");
        assert_eq!(route.path, "items/{id}/order");
        assert_eq!(route.path_names().collect::<Vec<_>>(), ["id"]);
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_a_mistake() {
        let name = Field::text("name");
        assert_eq!(mistake(&name, json!({})), Some(Mistake::Missing("name")));
        assert_eq!(mistake(&name, json!({ "name": null })), Some(Mistake::Missing("name")));
        assert_eq!(mistake(&name, json!({ "name": "" })), Some(Mistake::Missing("name")));
        let wrong = Some(Mistake::Wrong { name: "name", kind: FieldKind::Text });
        assert_eq!(mistake(&name, json!({ "name": { "$ne": "" } })), wrong);
        assert_eq!(mistake(&name, json!({ "name": "a" })), None);
        assert_eq!(mistake(&name.clone().optional(), json!({})), None);
        assert_eq!(mistake(&name.optional(), json!({ "name": 1 })), wrong);
        assert!(mistake(&Field::object("more").optional(), json!({ "more": "" })).is_some());
        assert_eq!(mistake(&Field::any("value"), json!({ "value": null })), None);
        assert_eq!(mistake(&Field::any("value"), json!({})), Some(Mistake::Missing("value")));
    }

    #[test]
    fn a_text_in_a_query_is_read_as_what_is_wanted() {
        assert_eq!(Field::number("count").read_text("5".into()), json!(5));
        assert_eq!(Field::boolean("all").read_text("true".into()), json!(true));
        assert_eq!(Field::number("count").read_text("many".into()), json!("many"));
        assert_eq!(Field::text("name").read_text("5".into()), json!("5"));
    }
}
