//! `login` and `logout`: the one pipeline, over HTTP.

use bolide_protocol::ejson::Object;
use bolide_protocol::error::ErrorCode;
use bolide_protocol::{DdpError, Ejson};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer::{Answer, answer, code, failure, unauthorized};
use super::incoming::Incoming;
use super::route::{Endpoint, Field, Route, Target};
use crate::accounts::{Dialect, LoginCode, LoginResult};
use crate::call::{MethodResult, sanitize};

/// The members of a body that is a login by password. Any other body goes to the pipeline as it is.
const PASSWORD_MEMBERS: [&str; 5] = ["user", "username", "email", "password", "code"];

pub(super) fn endpoints() -> [Endpoint; 2] {
    let login = Route::new("login")
        .summary("Logs in with a password, a token, or whatever else the method `login` takes")
        .takes([
            Field::any("user")
                .optional()
                .about("A username, or an address; or an object as the method `login` takes it"),
            Field::text("username").optional().about("A username, instead of `user`"),
            Field::text("email").optional().about("An address, instead of `user`"),
            Field::any("password").optional().about("The password, or its digest"),
            Field::text("code").optional().about("The code of a second factor; or in the header x-2fa-code"),
            Field::text("resume").optional().about("A login token, instead of a password"),
            Field::text("webauthn").optional().about("The answer of a passkey as JSON text, instead of a password"),
        ])
        .gives([Field::text("status"), Field::object("data").about("userId, authToken, and the user as me")]);
    let logout = Route::new("logout")
        .summary("Ends the login whose token the request carries")
        .gives([Field::text("status"), Field::object("data")]);
    [Endpoint::special(login, Target::Login), Endpoint::special(logout, Target::Logout)]
}

pub(super) async fn login(incoming: Incoming) -> Answer {
    let body = match incoming.object() {
        Ok(body) => body,
        Err(refusal) => return *refusal,
    };
    match log_in(&incoming, &body).await {
        Ok(login) => welcome(&incoming, login).await,
        Err(error) => refused(&sanitize(error, "request", "login", &incoming.server.core.random_id())),
    }
}

pub(super) async fn logout(incoming: Incoming) -> Answer {
    if incoming.identity.credential.is_none() {
        return unauthorized();
    }
    let outcome = incoming.accounts.login.log_out(&incoming.identity, Some(&incoming.connection)).await;
    if let Err(error) = outcome {
        return failure(&sanitize(error, "request", "logout", &incoming.server.core.random_id()));
    }
    let message = json!({ "message": "You've been logged out!" });
    answer(StatusCode::OK, &json!({ "status": "success", "data": message, "success": true }))
}

async fn log_in(incoming: &Incoming, body: &Map<String, Value>) -> MethodResult<LoginResult> {
    let (options, code) = options(incoming, body)?;
    incoming.accounts.login.authenticate(&options, Some(&incoming.connection), code).await
}

fn options(incoming: &Incoming, body: &Map<String, Value>) -> Result<(Object, Option<LoginCode>), DdpError> {
    let is_by_password =
        body.contains_key("password") && body.keys().all(|key| PASSWORD_MEMBERS.contains(&key.as_str()));
    let from_header = incoming.header("x-2fa-code").map(str::to_owned);
    let in_words = |code| LoginCode { code, dialect: Dialect::RocketChat };
    if !is_by_password || body.get("user").is_some_and(Value::is_object) {
        return Ok((ejson(body)?, from_header.map(in_words)));
    }
    let text = |key: &str| match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or_else(DdpError::match_failed),
    };
    let selector = match (text("user")?, text("username")?, text("email")?) {
        (Some(user), ..) if user.contains('@') => json!({ "email": user }),
        (Some(name), ..) | (None, Some(name), _) => json!({ "username": name }),
        (None, None, Some(address)) => json!({ "email": address }),
        (None, None, None) => return Err(DdpError::match_failed()),
    };
    let code = text("code")?.filter(|code| !code.is_empty()).map(str::to_owned).or(from_header);
    let options = Map::from_iter([
        ("user".to_owned(), selector),
        ("password".to_owned(), body.get("password").cloned().unwrap_or(Value::Null)),
    ]);
    Ok((ejson(&options)?, code.map(in_words)))
}

async fn welcome(incoming: &Incoming, login: LoginResult) -> Answer {
    let me = match super::own_account::me(&incoming.accounts, &login.id).await {
        Ok(me) => me,
        Err(error) => return failure(&sanitize(error, "request", "login", &incoming.server.core.random_id())),
    };
    let data = json!({ "userId": login.id, "authToken": login.token, "me": me });
    answer(StatusCode::OK, &json!({ "status": "success", "data": data, "success": true }))
}

/// Returns the answer to a failed login. A challenge names its code; a wrong password does not reveal what was wrong.
fn refused(error: &DdpError) -> Answer {
    let is_of_the_server = [ErrorCode::from(500), ErrorCode::from("too-many-requests")].contains(&error.error);
    if is_of_the_server {
        return failure(error);
    }
    let mut body = Map::new();
    body.insert("success".into(), false.into());
    body.insert("status".into(), "error".into());
    if error.error == ErrorCode::from(403) {
        body.insert("error".into(), "Unauthorized".into());
        body.insert("message".into(), "Unauthorized".into());
        return answer(StatusCode::UNAUTHORIZED, &Value::Object(body));
    }
    body.insert("error".into(), code(&error.error));
    body.insert("message".into(), error.reason.clone().unwrap_or_default().into());
    if let Some(details) = error.details.as_ref().and_then(|raw| serde_json::from_str(raw.get()).ok()) {
        body.insert("details".into(), details);
    }
    answer(StatusCode::UNAUTHORIZED, &Value::Object(body))
}

/// Decodes a body as EJSON, as the options of a method.
fn ejson(value: &Map<String, Value>) -> Result<Object, DdpError> {
    match Ejson::from_typed(value) {
        Ok(Ejson::Object(object)) => Ok(object),
        _ => Err(DdpError::match_failed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_is_one_too_many_is_429_and_a_wrong_one_401() {
        let status = |error: DdpError| refused(&error).status();
        assert_eq!(status(DdpError::new("too-many-requests", "Busy")), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(status(DdpError::internal()), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(status(DdpError::new(403, "Wrong")), StatusCode::UNAUTHORIZED);
        assert_eq!(status(DdpError::new("totp-required", "TOTP Required")), StatusCode::UNAUTHORIZED);
    }
}
