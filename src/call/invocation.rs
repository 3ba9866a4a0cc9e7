//! [`Invocation`]: one run of a method. There is one way to make a call: a client makes it, the application makes it, or
//! another call makes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bolide_protocol::two_factor::{TwoFactorCode, TwoFactorMethod};
use bolide_protocol::{RandomStream, random};
use parking_lot::Mutex;

use super::{Admission, AppCore, Caller, Connection, Method, Requirement};
use crate::chance::{Chance, Generator};
use crate::user::UserId;

/// One run of a method.
pub(crate) struct Invocation {
    pub(super) core: Arc<AppCore>,
    pub(super) method: Arc<Method>,
    pub(super) connection: Option<Connection>,
    pub(super) origin: Origin,
    random: Mutex<CallRandom>,
    /// What the gate has admitted this call for, or the one that it was made from.
    met: Mutex<Met>,
    /// The code that came with the call and is not used up.
    shown: Mutex<Option<Box<TwoFactorCode>>>,
}

/// What the gate has admitted a call for.
#[derive(Clone, Copy, Default)]
enum Met {
    #[default]
    Nothing,
    /// What this requirement covers.
    Requirement(Requirement),
    /// Everything: a code was shown and used up.
    SecondFactor,
}

/// What made a call.
pub(super) enum Origin {
    /// A client's message or request, with the state that nested calls share.
    Client(Root),
    /// The application: itself, or as the client of a subscription.
    Application(Root),
    /// Another call. `by_client` if the client named the method: then rate limits and restrictions of its user count.
    Nested { parent: Arc<Invocation>, by_client: bool },
}

/// What a call shares with all calls that are made from it.
pub(super) struct Root {
    /// The user at the start of the call, or the one that a method has signed in since.
    user: Mutex<Option<UserId>>,
    unblocked: AtomicBool,
}

impl Invocation {
    /// Creates a call that a client makes over its connection. `seed` is what the client's stub draws its ids from.
    pub(crate) fn of_client(
        core: &Arc<AppCore>,
        method: Arc<Method>,
        connection: Connection,
        user: Option<UserId>,
        seed: Option<String>,
    ) -> Arc<Self> {
        Self::new(core, method, Some(connection), Origin::Client(Root::new(user)), seed, Met::Nothing)
    }

    /// Creates the next call of the client whose last one has ended, in its memory unless something still holds it. Nothing of
    /// the last call is left but the app and the connection.
    pub(crate) fn followed_by(
        mut self: Arc<Self>,
        next: &Arc<Method>,
        user: Option<UserId>,
        seed: Option<String>,
    ) -> Arc<Self> {
        let new_origin = Origin::Client(Root::new(user));
        let Some(last) = Arc::get_mut(&mut self) else {
            return Self::new(&self.core, Arc::clone(next), self.connection.clone(), new_origin, seed, Met::Nothing);
        };
        let Self { core: _, connection: _, method, origin, random, met, shown } = last;
        if !Arc::ptr_eq(method, next) {
            *method = Arc::clone(next);
        }
        *origin = new_origin;
        *random = Mutex::new(CallRandom::new(seed));
        *met = Mutex::default();
        *shown = Mutex::default();
        self
    }

    /// Creates a call that the application makes itself.
    pub(crate) fn internal(core: &Arc<AppCore>, method: Arc<Method>, caller: Caller) -> Arc<Self> {
        Self::new(core, method, None, Origin::Application(Root::new(caller.into_user())), None, Met::Nothing)
    }

    /// Creates a call that a publication makes, as the user and on the connection of its subscription. It has been admitted
    /// for nothing, and cannot change the user: the change would wait for the publication, which waits for the call.
    pub(crate) fn of_subscription(
        core: &Arc<AppCore>,
        method: Arc<Method>,
        connection: Connection,
        user: Option<UserId>,
    ) -> Arc<Self> {
        let root = Root { user: Mutex::new(user), unblocked: AtomicBool::new(true) };
        Self::new(core, method, Some(connection), Origin::Application(root), None, Met::Nothing)
    }

    /// A call that another call makes, for the same user on the same connection. What that one was admitted for, this one
    /// is as well.
    pub(super) fn nested(parent: &Arc<Self>, method: Arc<Method>) -> Arc<Self> {
        let met = *parent.met.lock();
        Self::within(parent, method, false, met)
    }

    /// Creates a call that another call makes because the client named the method: limits and the gate apply as if the client had
    /// called it.
    #[cfg(feature = "accounts")]
    pub(super) fn nested_for_client(parent: &Arc<Self>, method: Arc<Method>) -> Arc<Self> {
        Self::within(parent, method, true, Met::Nothing)
    }

    fn within(parent: &Arc<Self>, method: Arc<Method>, by_client: bool, met: Met) -> Arc<Self> {
        let seed = parent.with_random(|random| random.rpc_seed(&method.name));
        let origin = Origin::Nested { parent: Arc::clone(parent), by_client };
        Self::new(&parent.core, method, parent.connection.clone(), origin, Some(seed), met)
    }

    fn new(
        core: &Arc<AppCore>,
        method: Arc<Method>,
        connection: Option<Connection>,
        origin: Origin,
        seed: Option<String>,
        met: Met,
    ) -> Arc<Self> {
        Arc::new(Self {
            core: Arc::clone(core),
            method,
            connection,
            origin,
            random: Mutex::new(CallRandom::new(seed)),
            met: Mutex::new(met),
            shown: Mutex::default(),
        })
    }

    pub(crate) fn method_name(&self) -> &str {
        &self.method.name
    }

    #[cfg(feature = "accounts")]
    pub(super) fn method_kind(&self) -> super::MethodKind {
        self.method.kind
    }

    /// Returns who is signed in now.
    pub(super) fn user(&self) -> Option<UserId> {
        self.root().user.lock().clone()
    }

    /// Goes on as another user. The gate has admitted the one before: it is asked again.
    pub(super) fn become_user(&self, user: Option<UserId>) {
        *self.root().user.lock() = user;
        self.forget_admission();
    }

    pub(super) fn unblock(&self) {
        self.root().unblocked.store(true, Ordering::Release);
    }

    /// Returns whether the client's next messages run while this call goes on.
    pub(crate) fn is_unblocked(&self) -> bool {
        self.root().unblocked.load(Ordering::Acquire)
    }

    /// Returns whether a client chose this method: then its rate limits count, and what restricts its user.
    pub(super) const fn is_from_client(&self) -> bool {
        matches!(self.origin, Origin::Client(_) | Origin::Nested { by_client: true, .. })
    }

    pub(super) fn with_random<Output>(&self, draw: impl FnOnce(&mut RandomStream) -> Output) -> Output {
        draw(self.random.lock().stream(&*self.core.chance))
    }

    /// Keeps the code that came with the call.
    pub(super) fn keep_code(&self, code: Option<TwoFactorCode>) {
        *self.shown.lock() = code.map(Box::new);
    }

    /// Returns the code that came with this call, or else with the one that it was made from, unless it is used up.
    pub(super) fn kept_code(&self) -> Option<TwoFactorCode> {
        let own = self.shown.lock().as_deref().cloned();
        own.or_else(|| self.maker()?.kept_code())
    }

    /// Returns whether the gate need not be asked again.
    pub(super) fn has_met(&self, requirement: &Requirement) -> bool {
        match *self.met.lock() {
            Met::Nothing => false,
            Met::Requirement(met) => met.covers(requirement),
            Met::SecondFactor => true,
        }
    }

    /// Notes that the gate has admitted the call.
    pub(super) fn note_admission(&self, requirement: Requirement, admission: Admission) {
        match admission {
            Admission::Shown(TwoFactorMethod::Totp | TwoFactorMethod::Email | TwoFactorMethod::WebAuthn) => {
                self.note_second_factor();
            }
            Admission::Shown(TwoFactorMethod::Password) | Admission::Excused => {
                *self.met.lock() = Met::Requirement(requirement);
            }
        }
    }

    /// Notes that the code is used up, here and in the calls that this one was made from: the client cannot send another
    /// one for the rest of them.
    fn note_second_factor(&self) {
        *self.shown.lock() = None;
        *self.met.lock() = Met::SecondFactor;
        if let Some(maker) = self.maker() {
            maker.note_second_factor();
        }
    }

    /// Returns the call that this one was made from, if its code counts for this one.
    fn maker(&self) -> Option<&Arc<Self>> {
        match &self.origin {
            Origin::Nested { parent, by_client: false } => Some(parent),
            _ => None,
        }
    }

    fn forget_admission(&self) {
        *self.met.lock() = Met::Nothing;
        if let Origin::Nested { parent, .. } = &self.origin {
            parent.forget_admission();
        }
    }

    fn root(&self) -> &Root {
        match &self.origin {
            Origin::Client(root) | Origin::Application(root) => root,
            Origin::Nested { parent, .. } => parent.root(),
        }
    }
}

impl Root {
    const fn new(user: Option<UserId>) -> Self {
        Self { user: Mutex::new(user), unblocked: AtomicBool::new(false) }
    }
}

/// The random streams of a call. Most calls draw nothing.
struct CallRandom {
    seed: Option<String>,
    /// Made when the first id is drawn.
    stream: Option<Box<RandomStream>>,
}

impl CallRandom {
    fn new(seed: Option<String>) -> Self {
        // As in Meteor, an empty seed counts as missing.
        Self { seed: seed.filter(|seed| !seed.is_empty()), stream: None }
    }

    fn stream(&mut self, chance: &dyn Chance) -> &mut RandomStream {
        let seed = &mut self.seed;
        self.stream.get_or_insert_with(|| {
            let seed = seed.take().unwrap_or_else(|| random::hex_string(&mut Generator(chance), 20));
            Box::new(RandomStream::new(seed))
        })
    }
}
