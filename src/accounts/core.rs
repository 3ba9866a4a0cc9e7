//! The accounts of a running app, put together of services. A [`Foundation`] holds the services on which both logins and
//! second factors stand; [`AccountsCore`] adds those that ask for a second factor.

use std::sync::Arc;
use std::time::Duration;

use super::audit::Audit;
use super::blocks::Blocks;
use super::counters::Counters;
use super::factor_rules::FactorRules;
use super::hooks::Hooks;
use super::links::Links;
use super::login::{Login, OwnHandler};
use super::mails::Mails;
use super::names::Usernames;
use super::node::Node;
use super::notices::Notices;
use super::password::{HashingLines, PasswordHasher};
use super::password_policy::PasswordPolicy;
use super::passwords::Passwords;
use super::permissions::Permissions;
use super::profile::Profiles;
use super::profile_bounds::ProfileBounds;
use super::recheck::{Rechecks, recheck_regularly};
use super::second_factor::SecondFactor;
use super::setting_changes::SettingChanges;
use super::sign_up::SignUp;
use super::sweep::sweep_regularly;
use super::tokens::{PersonalTokens, Tokens};
use super::turns::LineBounds;
use super::users::Users;
use super::{Accounts, AccountsHandle, RelyingParty};
use crate::bus::BusMember;
use crate::call::AppCore;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::figures::Figures;
use crate::keys::KeyRing;
use crate::limits::Limits;
use crate::session::Host;
use crate::settings::Settings;
use crate::store::Store;

/// The services that need no second factor. The room `two_factor` is built on them.
pub(crate) struct Foundation {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) node: Arc<Node>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) mails: Arc<Mails>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) rules: Arc<FactorRules>,
    pub(crate) users: Arc<Users>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) figures: Arc<Figures>,
    usernames: Arc<Usernames>,
    bounds: ProfileBounds,
    failure_counters: u32,
    recheck_interval: Duration,
    /// `None` if the site has no domain to which passkeys could belong.
    pub(crate) relying_party: Option<RelyingParty>,
    permissions: Permissions,
    handlers: Vec<OwnHandler>,
    pub(crate) hooks: Arc<Hooks>,
}

/// The accounts of a running app.
pub(crate) struct AccountsCore {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) permissions: Permissions,
    pub(crate) node: Arc<Node>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) mails: Arc<Mails>,
    pub(crate) rules: Arc<FactorRules>,
    pub(crate) users: Arc<Users>,
    pub(crate) tokens: Arc<Tokens>,
    pub(super) personal_tokens: Arc<PersonalTokens>,
    pub(super) passwords: Arc<Passwords>,
    pub(super) links: Arc<Links>,
    pub(crate) login: Login,
    pub(crate) sign_up: SignUp,
    pub(crate) profiles: Profiles,
    pub(crate) setting_changes: Arc<SettingChanges>,
    pub(super) second_factor: Arc<dyn SecondFactor>,
    pub(super) usernames: Arc<Usernames>,
    pub(super) profile_bounds: ProfileBounds,
    /// The maximum number of stored counters.
    pub(super) failure_counters: u32,
    recheck_interval: Duration,
    pub(super) rechecks: Rechecks,
}

impl Foundation {
    pub(crate) fn new(
        accounts: Accounts,
        limits: &Limits,
        clock: &Arc<dyn Clock>,
        chance: &Arc<dyn Chance>,
        figures: &Arc<Figures>,
    ) -> Self {
        let Accounts { store, keys, settings, site, mailer, templates, cost, .. } = accounts;
        let line = LineBounds { total: limits.waiting_passwords, of_network: limits.waiting_passwords_per_network };
        let relying_party = accounts.relying_party.or_else(|| RelyingParty::of_root_url(&site.root_url).ok());
        let node = Arc::new(Node::default());
        let keys = Arc::new(keys);
        let counters = Arc::new(Counters::new(&store, clock, limits.waiting_passwords));
        let mails = Arc::new(Mails::new((templates, mailer, site), &store, (&keys, chance), &counters, clock));
        let notices = Arc::new(Notices::new(&store, &keys, &settings, clock, &mails));
        let audit = Arc::new(Audit::new(&store, clock, &settings, &notices));
        let rules = Arc::new(FactorRules::new(settings.clone(), relying_party.is_some()));
        let hooks = Arc::new(accounts.hooks);
        let tokens = Tokens::new(&store, &settings, (clock, chance), &node, (&audit, &notices, &hooks));
        let tokens = Arc::new(tokens);
        let users = Arc::new(Users::new(&store, &rules, &node, &tokens, accounts.published_fields));
        let hasher = PasswordHasher::new(Arc::clone(chance)).with_cost(cost).with_bounds(line);
        Self {
            passwords: Arc::new(Passwords::new(
                &store,
                (hasher, PasswordPolicy::new(&settings)),
                &node,
                &tokens,
                &users,
                &audit,
            )),
            usernames: Arc::new(Usernames::new(settings.clone())),
            bounds: ProfileBounds::new(limits, figures),
            figures: Arc::clone(figures),
            failure_counters: limits.failure_counters,
            recheck_interval: accounts.recheck_interval,
            relying_party,
            permissions: accounts.permissions,
            handlers: accounts.handlers,
            hooks,
            clock: Arc::clone(clock),
            chance: Arc::clone(chance),
            keys,
            mails,
            notices,
            store,
            settings,
            node,
            audit,
            counters,
            rules,
            users,
            tokens,
        }
    }
}

impl AccountsCore {
    pub(crate) fn new(foundation: Foundation, second_factor: Arc<dyn SecondFactor>) -> Arc<Self> {
        let Foundation { store, keys, settings, clock, chance, node, audit, usernames, bounds, .. } = foundation;
        let Foundation { counters, mails, notices, rules, users, tokens, passwords, .. } = foundation;
        let Foundation { permissions, handlers, hooks, failure_counters, recheck_interval, .. } = foundation;
        let source = (&clock, &chance);
        let links = Arc::new(Links::new(&store, &keys, source, &mails));
        let login = Login {
            blocks: Blocks::new(&counters, &settings),
            handlers,
            hooks: Arc::clone(&hooks),
            node: Arc::clone(&node),
            users: Arc::clone(&users),
            tokens: Arc::clone(&tokens),
            passwords: Arc::clone(&passwords),
            audit: Arc::clone(&audit),
            second_factor: Arc::clone(&second_factor),
        };
        let profiles = Profiles {
            settings: settings.clone(),
            store: Arc::clone(&store),
            rules: Arc::clone(&rules),
            users: Arc::clone(&users),
            passwords: Arc::clone(&passwords),
            links: Arc::clone(&links),
            mails: Arc::clone(&mails),
            notices,
            audit: Arc::clone(&audit),
            usernames: Arc::clone(&usernames),
        };
        Arc::new(Self {
            personal_tokens: Arc::new(PersonalTokens::new(&store, &settings, source, &node, &audit)),
            sign_up: SignUp::new(
                &store,
                &settings,
                source,
                (&hooks, &audit),
                &passwords,
                (&links, &mails),
                (&usernames, bounds.clone()),
            ),
            setting_changes: Arc::new(SettingChanges::new(&settings, (&store, &clock), &node, &users, &audit)),
            login,
            profiles,
            links,
            store,
            keys,
            settings,
            clock,
            chance,
            permissions,
            node,
            audit,
            mails,
            rules,
            users,
            tokens,
            passwords,
            second_factor,
            usernames,
            profile_bounds: bounds,
            failure_counters,
            recheck_interval,
            rechecks: Rechecks::default(),
        })
    }

    /// Returns the lines of calls that wait until a password is hashed.
    pub(crate) fn hashing_lines(&self) -> HashingLines {
        self.passwords.lines()
    }

    pub(crate) fn join_bus(&self, member: BusMember) {
        self.node.join_bus(member);
    }

    /// Connects the accounts with their app, and starts the tasks that run until the app stops or is dropped. They do
    /// not hold the accounts.
    pub(crate) fn attach(self: &Arc<Self>, app: &Arc<AppCore>) {
        let Some(host) = app.slot::<Host>().filter(|_| self.node.attach(app)) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::warn!("the app was built outside of a tokio runtime: no mail is sent, and nothing is swept");
            return;
        };
        self.mails.start(&runtime, &host.stopping);
        runtime.spawn(sweep_regularly(Arc::downgrade(self), host.stopping.clone()));
        runtime.spawn(recheck_regularly(Arc::downgrade(self), self.recheck_interval, host.stopping.clone()));
        self.node.run_on(runtime);
    }

    /// Returns the accounts of an app as the application uses them. `None` if the app has none.
    pub(crate) fn handle_of(app: &AppCore) -> Option<AccountsHandle> {
        app.slot::<Self>().cloned().map(AccountsHandle::new)
    }
}
