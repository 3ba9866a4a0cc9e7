//! `/api/docs.json`: all endpoints of an app, those of the application's own too, as `OpenAPI` 3.1.

use std::sync::Arc;

use serde_json::{Value, json};
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApiBuilder, Ref, RefOr, Required, Response, ResponseBuilder,
    ServerBuilder,
};

use super::route::{Endpoint, Field, FieldKind, Target, Verb};
use crate::call::Requirement;

const ABOUT: &str = "Rocket.Chat's REST API, with the same gate as over DDP. A request is authenticated by the headers x-auth-token and \
    x-user-id, with the values that login returns. An endpoint that needs a second factor answers 400 with errorType totp-required, and details.method \
    (totp, email or password) says which; the client repeats the request with the code in x-2fa-code and the method in \
    x-2fa-method. A wrong code is answered totp-invalid, and after too many totp-max-attempts. Other endpoints ignore \
    these headers. A header that is sent twice, or is not text, counts as missing.";

/// Returns the description of these endpoints below `root`, as JSON.
pub(super) fn describe(root: &str, endpoints: &[Arc<Endpoint>]) -> String {
    let mut paths = PathsBuilder::new().path("/info", info());
    for endpoint in endpoints {
        let method = match endpoint.verb {
            Verb::Get => HttpMethod::Get,
            Verb::Post => HttpMethod::Post,
            Verb::Put => HttpMethod::Put,
            Verb::Patch => HttpMethod::Patch,
            Verb::Delete => HttpMethod::Delete,
        };
        let path = format!("/v1/{}", endpoint.route.path.replace("{*", "{"));
        paths = paths.path(path, PathItem::new(method, operation(endpoint)));
    }
    let key = |name: &str| SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(name)));
    let components = ComponentsBuilder::new()
        .schema("Failure", failure())
        .schema("Challenge", challenge())
        .security_scheme("token", key("x-auth-token"))
        .security_scheme("user", key("x-user-id"))
        .build();
    let description = OpenApiBuilder::new()
        .info(InfoBuilder::new().title("Bolide").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT)).build())
        .servers(Some([ServerBuilder::new().url(root).build()]))
        .paths(paths.build())
        .components(Some(components))
        .build();
    description.to_json().unwrap_or_else(|_| "{}".to_owned())
}

fn info() -> PathItem {
    let members = [
        Field::text("version").about("The first two numbers of the version; all of it for signed-in users"),
        Field::object("info").optional().about("The whole version, for signed-in users"),
    ];
    let version = object(&members).property("success", kind(FieldKind::Boolean));
    let operation = OperationBuilder::new()
        .operation_id(Some("info"))
        .summary(Some("The version of the server"))
        .response("200", ok(version.build()));
    PathItem::new(HttpMethod::Get, operation.build())
}

fn operation(endpoint: &Endpoint) -> utoipa::openapi::path::Operation {
    let route = &endpoint.route;
    let verb = endpoint.verb.method_kind().verb().unwrap_or_default().to_lowercase();
    let requirement = requirement(endpoint);
    let mut operation = OperationBuilder::new()
        .operation_id(Some(format!("{verb} {}", route.path)))
        .summary(route.summary.clone())
        .description(requirement.map(|(requirement, is_on_demand)| policy(requirement, is_on_demand)));
    for name in route.path_names() {
        operation =
            operation.parameter(parameter(name.trim_start_matches('*'), ParameterIn::Path, FieldKind::Text, true, ""));
    }
    if requirement.is_some() || matches!(endpoint.target, Target::Login | Target::MethodCall) {
        operation = operation
            .parameter(parameter(
                "x-2fa-code",
                ParameterIn::Header,
                FieldKind::Text,
                false,
                "The code of a second factor",
            ))
            .parameter(parameter(
                "x-2fa-method",
                ParameterIn::Header,
                FieldKind::Text,
                false,
                "Which factor the code is of: totp, email or password",
            ));
    }
    if endpoint.is_for_users() {
        operation = operation
            .security(SecurityRequirement::new("token", Vec::<String>::new()).add("user", Vec::<String>::new()));
    }
    match endpoint.verb {
        Verb::Get => {
            for field in &route.takes {
                operation = operation.parameter(parameter(
                    field.name,
                    ParameterIn::Query,
                    field.kind,
                    field.is_required,
                    field.about,
                ));
            }
        }
        _ if !route.takes.is_empty() => {
            let content = ContentBuilder::new().schema(Some(object(&route.takes).build())).build();
            let body = RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True));
            operation = operation.request_body(Some(body.build()));
        }
        _ => {}
    }
    respond(endpoint, operation).build()
}

fn respond(endpoint: &Endpoint, operation: OperationBuilder) -> OperationBuilder {
    let result = object(&endpoint.route.gives).property("success", kind(FieldKind::Boolean)).required("success");
    let answer = match endpoint.target {
        Target::MethodCall | Target::AnonymousMethodCall => call_answer(),
        _ => result.build(),
    };
    let refused = if requirement(endpoint).is_some() { "Challenge" } else { "Failure" };
    let mut operation = operation.response("200", ok(answer)).response("400", failed("It cannot be done", refused));
    if endpoint.is_for_users() || matches!(endpoint.target, Target::Login) {
        operation = operation.response("401", failed("The request is anonymous, or the login failed", "Failure"));
    }
    if endpoint.route.permission.is_some() {
        operation = operation.response("403", failed("A permission is missing", "Failure"));
    }
    if endpoint.has_limits() {
        operation = operation.response("429", failed("Too often; see x-ratelimit-reset", "Failure"));
    }
    operation
        .response("413", failed("The body is too long", "Failure"))
        .response("415", failed("The body is not JSON", "Failure"))
}

/// Returns what the gate demands, and whether the handler decides when.
fn requirement(endpoint: &Endpoint) -> Option<(Requirement, bool)> {
    let Target::Method(method) = &endpoint.target else { return None };
    Some((method.policy.requirement()?, method.policy.is_on_demand()))
}

fn policy(requirement: Requirement, is_on_demand: bool) -> String {
    let mut text = String::from(if is_on_demand {
        "Asks for a second factor for some calls."
    } else {
        "Asks for a second factor."
    });
    if requirement.is_second_factor_required() {
        text.push_str(" Trusted clients and bypass tokens are asked too.");
    } else if requirement.is_remember_me_disabled() {
        text.push_str(" Trusted clients are asked too.");
    }
    if requirement.is_password_fallback_disabled() {
        text.push_str(" The password is not accepted.");
    }
    text
}

fn parameter(name: &str, place: ParameterIn, of: FieldKind, is_required: bool, about: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(if is_required { Required::True } else { Required::False })
        .description((!about.is_empty()).then_some(about))
        .schema(Some(kind(of)))
        .build()
}

fn object(fields: &[Field]) -> ObjectBuilder {
    let object = ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Object))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)));
    fields.iter().fold(object, |object, field| {
        let described = described(field);
        let object = object.property(field.name, described);
        if field.is_required { object.required(field.name) } else { object }
    })
}

fn described(field: &Field) -> Object {
    let mut own = kind(field.kind);
    own.description = (!field.about.is_empty()).then(|| field.about.to_owned());
    if field.kind == FieldKind::Text && field.is_required {
        own.min_length = Some(1);
    }
    if !field.is_required
        && let SchemaType::Type(kind) = own.schema_type
    {
        own.schema_type = SchemaType::from_iter([kind, Type::Null]);
    }
    own
}

fn kind(kind: FieldKind) -> Object {
    let schema_type = match kind {
        FieldKind::Any => SchemaType::AnyValue,
        FieldKind::Text => Type::String.into(),
        FieldKind::Number => Type::Number.into(),
        FieldKind::Boolean => Type::Boolean.into(),
        FieldKind::List => Type::Array.into(),
        FieldKind::Object => Type::Object.into(),
    };
    Object::with_type(schema_type)
}

fn call_answer() -> Object {
    let message = Field::text("message").about("{msg: \"result\", id, result or error}, as EJSON text");
    object(&[message, Field::boolean("success")]).build()
}

fn ok(schema: Object) -> Response {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description("It is done").content("application/json", content).build()
}

fn failed(about: &str, schema: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(RefOr::<Schema>::Ref(Ref::from_schema_name(schema)))).build();
    ResponseBuilder::new().description(about).content("application/json", content).build()
}

fn failure() -> Object {
    let fields = [
        Field::boolean("success"),
        Field::any("error").optional().about("A sentence, and the code in brackets; of a failed login, the code"),
        Field::any("errorType").optional().about("The code of the error"),
        Field::text("message").optional(),
    ];
    object(&fields).build()
}

fn challenge() -> Object {
    let details: Value = json!({ "method": "totp", "codeGenerated": false, "availableMethods": ["totp"] });
    let about = "Of a challenge: method (totp, email or password), codeGenerated, availableMethods, and for a code by mail \
         emailOrUsername and codeExpires";
    let mut details_schema = described(&Field::object("details").optional().about(about));
    details_schema.examples = vec![details];
    let fields = [
        Field::boolean("success"),
        Field::text("error").optional().about("TOTP Required [totp-required], or another error"),
        Field::any("errorType").optional().about("totp-required, totp-invalid, totp-max-attempts, or another error"),
    ];
    object(&fields).property("details", details_schema).build()
}
