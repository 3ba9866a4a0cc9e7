//! The tokens of a user, each a login or a personal access token: published live, and logins are revoked one by one.

use std::sync::{Arc, Weak};

use bolide_protocol::DdpError;
use bolide_protocol::ejson::Date;
use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::json;

use super::{Tokens, own_token};
use crate::call::{MethodError, MethodResult, Parameters, SignedIn, TwoFactor};
use crate::clock::Timestamp;
use crate::public_name::public_name;
use crate::publication::{Document, Subscription, When, follow};
use crate::registry::Registry;
use crate::store::{AuditEvent, HashedToken, LoginToken, TokenKind, Topic};
use crate::user::UserId;

const COLLECTION: &str = "tokens";

pub(in crate::accounts) fn register(tokens: &Arc<Tokens>, registry: &mut Registry) {
    let (shown, revoking) = (Arc::downgrade(tokens), Arc::clone(tokens));
    registry.publish("account:tokens", async move |subscription: Subscription| show(shown, subscription).await).method(
        "account:revokeToken",
        TwoFactor::none(),
        async move |me: SignedIn, parameters: Parameters| revoke(&revoking, me, parameters).await,
    );
}

async fn show(tokens: Weak<Tokens>, subscription: Subscription) -> MethodResult<()> {
    let user = subscription.user_id().cloned().ok_or_else(|| DdpError::new("not-authorized", "Not authorized"))?;
    let own = subscription.connection().identity().credential.map(|own| HashedToken::from_base64(own.hashed));
    let store = &tokens.upgrade().ok_or_else(DdpError::internal)?.store;
    let when = When::Changed(vec![store.changes().subscribe(Topic::Tokens)]);
    let read = move || -> BoxFuture<'static, MethodResult<Vec<Document>>> {
        let (tokens, user, own) = (tokens.clone(), user.clone(), own.clone());
        Box::pin(async move {
            let tokens = tokens.upgrade().ok_or_else(DdpError::internal)?;
            tokens.documents(&user, own.as_ref()).await
        })
    };
    follow(subscription, when, Arc::new(read)).await
}

/// Ends one login of the user. Personal access tokens are removed by name, behind the gate.
async fn revoke(tokens: &Tokens, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let wanted: String = parameters.get(0)?;
    tokens.end_login(me.user(), &wanted, &me).await?;
    Ok(true)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownToken {
    kind: &'static str,
    created_at: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trusted_until: Option<Date>,
    /// Whether the client that reads the document is logged in with it.
    current: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_token_part: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bypass_two_factor: Option<bool>,
}

impl Tokens {
    /// Ends a login of a user, named by its public name: deletes the token, and ends its connections, except for that of the
    /// caller who ends its own login.
    ///
    /// # Errors
    /// `error-token-does-not-exists` if the user has no such login. Personal access tokens are removed in other ways.
    pub(crate) async fn end_login(&self, user: &UserId, name: &str, by: &SignedIn) -> MethodResult<()> {
        let all = self.store.tokens_of(user).await?;
        let is_wanted = |token: &&LoginToken| {
            matches!(token.kind, TokenKind::Session { .. }) && public_name(token.hashed.as_str()) == name
        };
        let unknown = || MethodError::new("error-token-does-not-exists", "The token does not exist");
        let token = all.iter().find(is_wanted).ok_or_else(unknown)?;
        self.store.delete_token(&token.hashed).await?;
        let own = own_token(by.context());
        let connection = by.context().connection();
        let spared = connection.filter(|_| own.as_ref() == Some(&token.hashed));
        self.node.end_connections(std::slice::from_ref(&token.hashed), spared);
        self.audit.record(AuditEvent::SessionsRevoked, Some(user), connection, json!({ "count": 1 })).await;
        Ok(())
    }

    async fn documents(&self, user: &UserId, own: Option<&HashedToken>) -> MethodResult<Vec<Document>> {
        let now = self.clock.now();
        let all = self.store.tokens_of(user).await?;
        let live = all.into_iter().filter(|token| token.expires_at().is_none_or(|end| now < end));
        let document = |token: LoginToken| {
            let name = public_name(token.hashed.as_str());
            let is_current = own == Some(&token.hashed);
            Ok(Document::new(COLLECTION, name, &shown(token, is_current, now))?)
        };
        live.map(document).collect()
    }
}

fn shown(token: LoginToken, is_current: bool, now: Timestamp) -> ShownToken {
    let expires_at = token.expires_at().map(Timestamp::to_date);
    let (kind, name, last_token_part, bypass_two_factor) = match token.kind {
        TokenKind::Session { .. } => ("session", None, None, None),
        TokenKind::Personal { name, last_part, bypasses_two_factor } => {
            ("personal", Some(name), Some(last_part), Some(bypasses_two_factor))
        }
    };
    ShownToken {
        kind,
        created_at: token.created_at.to_date(),
        expires_at,
        last_used_at: token.last_used_at.map(Timestamp::to_date),
        address: token.last_address,
        user_agent: token.last_user_agent,
        trusted_until: token.trust.map(|trust| trust.until).filter(|until| now <= *until).map(Timestamp::to_date),
        current: is_current,
        name,
        last_token_part,
        bypass_two_factor,
    }
}
