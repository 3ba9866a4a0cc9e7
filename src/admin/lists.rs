//! The documents that admins are shown. None contains a secret: no hash, no token and no text of a mail.

use bolide_protocol::Ejson;
use bolide_protocol::ejson::{Date, Object};
use serde::Serialize;
use serde_json::Value;

use crate::accounts::{AccountsCore, ClientInfo, emails, factors, selector_of};
use crate::call::ConnectionPort as _;
use crate::call::{MethodResult, MethodSummary};
use crate::mail::{MailState, OutgoingMail};
use crate::public_name::public_name;
use crate::publication::Document;
use crate::session::Session;
use crate::settings::{Range, SettingDefinition, SettingKind, Settings};
use crate::store::{AuditEntry, AuditFilter, User, UserFilter};

use crate::user::UserId;

#[derive(Serialize)]
struct ShownSetting<'setting> {
    value: Option<Value>,
    default: &'setting Value,
    group: &'setting str,
    description: &'setting str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<i64>,
    public: bool,
    readonly: bool,
}

pub(super) fn settings(settings: &Settings) -> MethodResult<Vec<Document>> {
    let shown = |definition: &SettingDefinition| {
        let range = match definition.kind() {
            SettingKind::Integer(range) => Some(range),
            SettingKind::Boolean | SettingKind::Text | SettingKind::Pattern => None,
        };
        let setting = ShownSetting {
            value: settings.value(definition.id()),
            default: definition.default_value(),
            group: definition.group(),
            description: definition.description(),
            kind: match definition.kind() {
                SettingKind::Boolean => "boolean",
                SettingKind::Integer(_) => "integer",
                SettingKind::Text | SettingKind::Pattern => "text",
            },
            minimum: range.map(|Range { from, .. }| from),
            maximum: range.map(|Range { to, .. }| to),
            public: definition.is_public(),
            readonly: settings.is_fixed(definition.id()),
        };
        Ok(Document::new("settings", definition.id(), &setting)?)
    };
    settings.definitions().map(shown).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownRole {
    mandatory2fa: bool,
    built_in: bool,
}

/// The roles to which the server gives a meaning.
const BUILT_IN_ROLES: [&str; 2] = ["admin", "user"];

pub(super) fn roles(core: &AccountsCore) -> MethodResult<Vec<Document>> {
    let mandatory = core.rules.mandatory_roles();
    let mut names: Vec<&str> = BUILT_IN_ROLES.into_iter().chain(mandatory.iter().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    let shown = |name: &str| {
        let mandatory2fa = mandatory.iter().any(|mandatory| mandatory == name);
        Ok(Document::new("roles", name, &ShownRole { mandatory2fa, built_in: BUILT_IN_ROLES.contains(&name) })?)
    };
    names.into_iter().map(shown).collect()
}

pub(super) async fn users(core: &AccountsCore, filter: UserFilter) -> MethodResult<Vec<Document>> {
    let offset = filter.offset;
    let page = core.store.users(filter).await?;
    let total = Object::from_iter([("total".to_owned(), Ejson::from(page.total))]);
    let places = (offset..).zip(&page.users);
    let users =
        places.map(|(place, user)| Document::of_object("adminUsers", user.id.as_str(), shown_user(user, place)));
    Ok(users.chain([Document::of_object("counts", "adminUsers", total)]).collect())
}

fn shown_user(user: &User, place: u32) -> Object {
    let roles = user.roles.iter().map(|role| Ejson::from(role.clone())).collect();
    let mut shown = Object::from_iter([
        ("emails".to_owned(), emails(user)),
        ("roles".to_owned(), Ejson::Array(roles)),
        ("active".to_owned(), Ejson::Bool(user.is_active)),
        ("createdAt".to_owned(), Ejson::Date(user.created_at.to_date())),
        ("twoFactor".to_owned(), Ejson::Object(factors(user))),
        ("place".to_owned(), Ejson::from(place)),
    ]);
    if let Some(username) = &user.username {
        shown.insert("username".into(), username.clone().into());
    }
    shown
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of the list")]
pub(super) struct ShownMethod {
    kind: &'static str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    verb: Option<&'static str>,
    gated: bool,
    on_demand: bool,
    password_fallback: bool,
    remember_me: bool,
    second_factor_required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age_seconds: Option<u64>,
    calls: u64,
    errors: u64,
    p50_milliseconds: f64,
    p99_milliseconds: f64,
}

pub(super) fn methods(core: &AccountsCore) -> MethodResult<Vec<Document>> {
    let shown = |summary: &MethodSummary| {
        let verb = summary.kind.verb();
        let id = format!("{} {}", verb.unwrap_or("method"), summary.name);
        Ok(Document::new("methods", id, &shown_method(summary))?)
    };
    core.node.app().iter().flat_map(|app| app.methods.read().summaries()).map(|summary| shown(&summary)).collect()
}

pub(super) fn shown_method(summary: &MethodSummary) -> ShownMethod {
    let requirement = summary.policy.requirement();
    let verb = summary.kind.verb();
    ShownMethod {
        kind: if verb.is_some() { "endpoint" } else { "method" },
        name: summary.name.clone(),
        verb,
        gated: summary.policy.is_gated(),
        on_demand: summary.policy.is_on_demand(),
        password_fallback: requirement.is_some_and(|own| !own.is_password_fallback_disabled()),
        remember_me: requirement.is_some_and(|own| !own.is_remember_me_disabled()),
        second_factor_required: requirement.is_some_and(|own| own.is_second_factor_required()),
        max_age_seconds: requirement.and_then(|own| own.maximum_age()).map(|age| age.as_secs()),
        calls: summary.counts.calls,
        errors: summary.counts.errors,
        p50_milliseconds: summary.counts.median.as_secs_f64() * 1000.0,
        p99_milliseconds: summary.counts.percentile_99.as_secs_f64() * 1000.0,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownSession {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    since: Date,
    subscriptions: usize,
    /// Whether the client has lost its connection, and may resume the session.
    away: bool,
    /// The public name of the login, by which it is ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<String>,
}

/// The maximum number of sessions that are shown.
const MOST_SESSIONS: usize = 1000;

pub(super) async fn sessions(core: &AccountsCore) -> MethodResult<Vec<Document>> {
    let sessions = core.node.host().map(|host| host.sessions.all()).unwrap_or_default();
    let mut shown = Vec::with_capacity(sessions.len().min(MOST_SESSIONS));
    for session in sessions.iter().take(MOST_SESSIONS) {
        let document = Document::new("sessions", public_name(session.id()), &shown_session(core, session).await?)?;
        shown.push(document);
    }
    Ok(shown)
}

async fn shown_session(core: &AccountsCore, session: &Session) -> MethodResult<ShownSession> {
    let (client, identity) = (ClientInfo::of_peer(&session.peer()), session.identity());
    let user_id = identity.user;
    let username = match &user_id {
        Some(id) => core.store.user(id).await?.and_then(|user| user.username),
        None => None,
    };
    let subscriptions = session.recipient().views().subscription_count();
    Ok(ShownSession {
        user_id,
        username,
        address: client.address,
        user_agent: client.user_agent,
        since: session.opened_at().to_date(),
        subscriptions,
        away: !session.recipient().is_connected(),
        login: identity.credential.map(|shown| public_name(&shown.hashed)),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownEntry {
    id: i64,
    at: Date,
    event: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    details: Value,
    /// The number of equal events in a minute. Missing for a single one.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
}

pub(super) async fn audit(core: &AccountsCore, filter: AuditFilter) -> MethodResult<Vec<Document>> {
    let entries = audit_entries(core, filter).await?;
    entries.iter().map(|entry| Ok(Document::new("audit", entry.id.to_string(), entry)?)).collect()
}

pub(super) async fn audit_entries(core: &AccountsCore, filter: AuditFilter) -> MethodResult<Vec<ShownEntry>> {
    let filter = AuditFilter { user: meant_user(core, filter.user).await?, ..filter };
    let mut shown = Vec::new();
    for entry in core.store.audit(filter).await? {
        let AuditEntry { id, at, event, user, actor, address, user_agent, details, count, .. } = entry;
        let username = match &user {
            Some(id) => core.store.user(id).await?.and_then(|user| user.username),
            None => None,
        };
        let details = serde_json::from_str(&details).unwrap_or_default();
        shown.push(ShownEntry {
            id,
            at: at.to_date(),
            event,
            user_id: user,
            username,
            actor,
            address,
            user_agent,
            details,
            count: Some(count).filter(|count| *count > 1),
        });
    }
    Ok(shown)
}

/// Returns the user that an admin names by id, username or address. An id counts even if the user was removed.
async fn meant_user(core: &AccountsCore, named: Option<UserId>) -> MethodResult<Option<UserId>> {
    let Some(named) = named else { return Ok(None) };
    if core.store.user(&named).await?.is_some() {
        return Ok(Some(named));
    }
    let found = core.users.find(&selector_of(named.as_str())).await?;
    Ok(Some(found.map_or(named, |user| user.id)))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownMail<'mail> {
    kind: &'static str,
    to: &'mail [String],
    created_at: Date,
    state: &'static str,
    failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<&'mail str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Date>,
}

pub(super) async fn mails(core: &AccountsCore, limit: u32) -> MethodResult<Vec<Document>> {
    let mails = core.mails.queue.list(limit).await?;
    mails.iter().map(|mail| Ok(Document::new("mails", mail.id.to_string(), &shown_mail(mail))?)).collect()
}

fn shown_mail(mail: &OutgoingMail) -> ShownMail<'_> {
    let (state, next_attempt_at) = match mail.state {
        MailState::Waiting(next) => ("waiting", Some(next.to_date())),
        MailState::GivenUp(_) => ("failed", None),
    };
    ShownMail {
        kind: mail.kind.as_str(),
        to: &mail.to,
        created_at: mail.added_at.to_date(),
        state,
        failures: mail.failures,
        last_error: mail.last_error.as_deref(),
        next_attempt_at,
    }
}
