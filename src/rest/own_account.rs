//! The endpoints for a user's own account. Each has its policy and calls the DDP method.

use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::ejson::Date;
use bolide_protocol::{DdpError, Ejson};
use serde_json::{Value, json};

use super::Endpoints;
use super::route::{Field, Route, Verb};
use crate::accounts::protected::policy;
use crate::accounts::{AccountsCore, ProfileChange, own_token, shown_name};
use crate::call::{Context, MethodError, MethodResult, Policy, SignedIn, TwoFactor};
use crate::store::{LoginToken, TokenKind, Totp, User};
use crate::user::UserId;

/// Registers an endpoint whose function is given the accounts.
macro_rules! endpoint {
    ($core:expr, $endpoints:expr, $verb:ident $route:expr, $policy:expr, $caller:ty, $function:path) => {{
        let core = Arc::clone($core);
        $endpoints.add_unless_there(Verb::$verb, $route, $policy, move |caller: $caller, fields: Value| {
            let core = Arc::clone(&core);
            async move { $function(&core, caller, fields).await }
        })
    }};
}
pub(super) use endpoint;

/// The limit for anonymous requests that send a mail or check a code: five a minute.
pub(super) const FEW: (u32, Duration) = (5, Duration::from_mins(1));

pub(super) fn register(core: &Arc<AccountsCore>, endpoints: &mut Endpoints) {
    let open = TwoFactor::none();
    let me_route = Route::new("me").open_to_enrolment().summary("Who is signed in").gives([
        Field::text("_id"),
        Field::text("username").optional(),
        Field::list("emails"),
        Field::list("roles"),
        Field::object("settings"),
    ]);
    let register = Route::new("users.register").summary("Signs up").limit(FEW.0, FEW.1).takes([
        Field::text("username"),
        Field::text("email"),
        Field::text("pass").about("The password"),
        Field::text("name").optional().about("How the user is called"),
    ]);
    let forgot = Route::new("users.forgotPassword")
        .summary("Mails a link to choose a new password; says the same whether there is such a user or not")
        .limit(FEW.0, FEW.1)
        .takes([Field::text("email")]);
    let update = Route::new("users.updateOwnBasicInfo")
        .summary("Changes one's own profile; another address or password needs a second factor")
        .takes([
            Field::object("data")
                .about("name, username, email, newPassword, keepPersonalTokens, and currentPassword as SHA-256 in hex"),
            Field::object("customFields").optional(),
        ])
        .gives([Field::object("user")]);
    let other_tokens = || Route::new("users.removeOtherTokens").summary("Ends one's other logins");
    endpoint!(core, endpoints, Get me_route, open, SignedIn, own);
    endpoint!(core, endpoints, Post register.gives([Field::object("user")]), open, Context, sign_up);
    endpoint!(core, endpoints, Post forgot, open, Context, forgot_password);
    endpoint!(core, endpoints, Post update, policy("POST users.updateOwnBasicInfo"), SignedIn, update_own);
    endpoint!(core, endpoints, Post other_tokens(), open, SignedIn, remove_other_tokens);
    let clients =
        Route::new("users.logoutOtherClients").summary("Ends one's other logins").returns_own_token().gives([
            Field::text("token").about("One's own login token, which stays"),
            Field::text("tokenExpires").about("When one's own login ends; empty for a personal access token"),
        ]);
    endpoint!(core, endpoints, Post clients, open, SignedIn, log_out_other_clients);
    register_factors(endpoints);
    register_personal_tokens(core, endpoints);
}

/// Registers the endpoints for second factors. Each is a DDP method under another name.
fn register_factors(endpoints: &mut Endpoints) {
    let open = TwoFactor::none();
    let code = || Field::text("code").about("A code of the authenticator app, or a backup code");
    let send = Route::new("users.2fa.sendEmailCode")
        .open_to_enrolment()
        .summary("Mails another code; says the same whether there is such a user or not")
        .limit(FEW.0, FEW.1)
        .takes([Field::text("emailOrUsername")]);
    endpoints.add_unless_there(Verb::Post, send, open, async |context: Context, fields: Value| {
        context.call::<Value>("sendEmailCode", &(&fields["emailOrUsername"],)).await.map(nothing)
    });
    let route = |path: &str, summary: &str| Route::new(path).summary(summary);
    forwarded(
        endpoints,
        route("users.2fa.enableEmail", "Turns codes by mail on").open_to_enrolment(),
        policy("POST users.2fa.enableEmail"),
        "2fa:enable-email",
    );
    forwarded(
        endpoints,
        route("users.2fa.disableEmail", "Turns codes by mail off"),
        policy("POST users.2fa.disableEmail"),
        "2fa:disable-email",
    );
    let enable = route("users.enableTotp", "Begins to set up an authenticator app");
    let enable =
        enable.open_to_enrolment().gives([Field::text("secret"), Field::text("url").about("What a QR code shows")]);
    forwarded(endpoints, enable, policy("POST users.enableTotp"), "2fa:enable");
    let validate = route("users.validateTotp", "Shows the first code of the app, which is asked for from now on");
    let validate = validate.open_to_enrolment().takes([code()]).gives([Field::list("codes").about("The backup codes")]);
    let asks = policy("POST users.validateTotp");
    endpoints.add_unless_there(Verb::Post, validate, asks, async |me: SignedIn, fields: Value| {
        me.context().call::<Value>("2fa:validateTempToken", &(&fields["code"],)).await
    });
    let disable =
        route("users.disableTotp", "Ends the use of the app").takes([code()]).gives([Field::boolean("disabled")]);
    endpoints.add_unless_there(Verb::Post, disable, open, async |me: SignedIn, fields: Value| {
        let disabled: bool = me.context().call("2fa:disable", &(&fields["code"],)).await?;
        Ok(json!({ "disabled": disabled }))
    });
    let regenerate = route("users.regenerateTotpCodes", "Makes new backup codes").takes([code()]);
    let regenerate = regenerate.gives([Field::list("codes").optional().about("Missing if the code was wrong")]);
    endpoints.add_unless_there(Verb::Post, regenerate, open, async |me: SignedIn, fields: Value| {
        me.context().call::<Value>("2fa:regenerateCodes", &(&fields["code"],)).await
    });
    let remaining = route("users.totpCodesRemaining", "How many backup codes are left");
    let remaining = remaining.open_to_enrolment().gives([Field::number("remaining")]);
    endpoints.add_unless_there(Verb::Get, remaining, open, async |me: SignedIn, _: Value| {
        me.context().call::<Value>("2fa:checkCodesRemaining", &()).await
    });
}

fn register_personal_tokens(core: &Arc<AccountsCore>, endpoints: &mut Endpoints) {
    let name = || Field::text("tokenName");
    let route =
        |action: &str, summary: &str| Route::new(&format!("users.{action}PersonalAccessToken")).summary(summary);
    let generate = route("generate", "Makes a token for an integration").gives([Field::text("token")]);
    let generate = generate.takes([name(), Field::boolean("bypassTwoFactor").optional()]);
    let asks = policy("POST users.generatePersonalAccessToken");
    endpoints.add_unless_there(Verb::Post, generate, asks, async |me: SignedIn, fields: Value| {
        let token: String = me.context().call("personalAccessTokens:generateToken", &(fields,)).await?;
        Ok(json!({ "token": token }))
    });
    let regenerate =
        route("regenerate", "Replaces the token of this name").takes([name()]).gives([Field::text("token")]);
    let asks = policy("POST users.regeneratePersonalAccessToken");
    endpoints.add_unless_there(Verb::Post, regenerate, asks, async |me: SignedIn, fields: Value| {
        let token: String = me.context().call("personalAccessTokens:regenerateToken", &(fields,)).await?;
        Ok(json!({ "token": token }))
    });
    let remove = route("remove", "Removes the token of this name").takes([name()]);
    let asks = policy("POST users.removePersonalAccessToken");
    endpoints.add_unless_there(Verb::Post, remove, asks, async |me: SignedIn, fields: Value| {
        me.context().call::<Value>("personalAccessTokens:removeToken", &(fields,)).await.map(nothing)
    });
    let list = Route::new("users.getPersonalAccessTokens").summary("One's tokens for integrations");
    let list = list.gives([Field::list("tokens").about("name, createdAt, lastTokenPart, bypassTwoFactor, lastUsedAt")]);
    endpoint!(core, endpoints, Get list, TwoFactor::none(), SignedIn, personal_tokens);
}

/// Registers an endpoint for a method without parameters and result.
fn forwarded(endpoints: &mut Endpoints, route: Route, policy: impl Policy, method: &'static str) {
    endpoints.add_unless_there(Verb::Post, route, policy, async move |me: SignedIn, _: Value| {
        let result = me.context().call::<Value>(method, &()).await?;
        Ok(if result.is_object() { result } else { json!({}) })
    });
}

async fn own(core: &Arc<AccountsCore>, caller: SignedIn, _: Value) -> MethodResult<Value> {
    me(core, caller.user()).await
}

/// Returns the user's own document, with the fields that Rocket.Chat's clients also read.
pub(super) async fn me(core: &AccountsCore, id: &UserId) -> MethodResult<Value> {
    let user = core.users.existing(id).await?;
    let mut document = core.users.own_document(id).await?;
    document["active"] = user.is_active.into();
    document["createdAt"] = iso(user.created_at.milliseconds()).into();
    document["requirePasswordChange"] = user.must_change_password.into();
    document["settings"] = json!({ "preferences": {} });
    document["services"] = services(&user);
    if let Some(address) = user.verified_addresses().next() {
        document["email"] = address.into();
    }
    Ok(document)
}

/// Returns which login methods a user has, without their secrets.
fn services(user: &User) -> Value {
    json!({
        "password": { "exists": user.password.is_some() },
        "totp": { "enabled": matches!(user.totp, Totp::On(_)) },
        "email2fa": { "enabled": user.can_receive_codes() },
    })
}

async fn sign_up(core: &Arc<AccountsCore>, context: Context, fields: Value) -> MethodResult<Value> {
    if context.user_id().is_some() {
        return Err(MethodError::new("error-not-allowed", "Logged in users can not register again."));
    }
    let options = json!({ "username": fields["username"], "email": fields["email"], "password": fields["pass"] });
    let options = Ejson::from_typed(&options).map_err(|_| DdpError::match_failed())?;
    let options = options.as_object().ok_or_else(DdpError::match_failed)?;
    let name = fields["name"].as_str().filter(|name| !name.is_empty()).map(shown_name).transpose()?;
    let user = core.sign_up.sign_up(options, context.connection()).await?;
    if let Some(name) = name {
        core.store.set_field(&user.id, "name", Some(name.into())).await?;
    }
    Ok(json!({ "user": me(core, &user.id).await? }))
}

async fn forgot_password(_: &Arc<AccountsCore>, context: Context, fields: Value) -> MethodResult<Value> {
    context.call::<Value>("forgotPassword", &(json!({ "email": fields["email"] }),)).await.map(nothing)
}

async fn update_own(core: &Arc<AccountsCore>, caller: SignedIn, fields: Value) -> MethodResult<Value> {
    let change = ProfileChange::from_basic_info(&fields["data"])?;
    core.profiles.change(&caller, change).await?;
    Ok(json!({ "user": me(core, caller.user()).await? }))
}

async fn remove_other_tokens(_: &Arc<AccountsCore>, caller: SignedIn, _: Value) -> MethodResult<Value> {
    caller.context().call::<Value>("removeOtherTokens", &()).await.map(nothing)
}

async fn log_out_other_clients(core: &Arc<AccountsCore>, caller: SignedIn, _: Value) -> MethodResult<Value> {
    caller.context().call::<Value>("removeOtherTokens", &()).await?;
    let own = match own_token(caller.context()) {
        Some(hashed) => core.store.token(&hashed).await?,
        None => None,
    };
    let expires = own.and_then(|token| token.expires_at()).map(|end| iso(end.milliseconds()));
    Ok(json!({ "tokenExpires": expires.unwrap_or_default() }))
}

async fn personal_tokens(core: &Arc<AccountsCore>, caller: SignedIn, _: Value) -> MethodResult<Value> {
    let all = core.store.tokens_of(caller.user()).await?;
    Ok(json!({ "tokens": all.iter().filter_map(personal_token).collect::<Vec<_>>() }))
}

fn personal_token(token: &LoginToken) -> Option<Value> {
    let TokenKind::Personal { name, last_part, bypasses_two_factor } = &token.kind else { return None };
    let mut entry = json!({
        "name": name,
        "createdAt": iso(token.created_at.milliseconds()),
        "lastTokenPart": last_part,
        "bypassTwoFactor": bypasses_two_factor,
    });
    if let Some(at) = token.last_used_at {
        entry["lastUsedAt"] = iso(at.milliseconds()).into();
        entry["lastAddress"] = token.last_address.clone().into();
    }
    Some(entry)
}

pub(super) fn iso(milliseconds: i64) -> String {
    Date::from_milliseconds(milliseconds).to_iso_string().unwrap_or_default()
}

/// Returns an empty result.
pub(super) fn nothing(_: Value) -> Value {
    json!({})
}
