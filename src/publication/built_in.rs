//! Publications to which Meteor clients subscribe by themselves. Without them, a client would repeat the subscription.

use super::{PublicationRegistry, Subscription};
use crate::call::{MethodResult, Parameters};
use crate::error::BuildError;

/// The versions of the app's client code, which Bolide does not serve, and the configurations of login services, which
/// it does not have.
const NAMES: [&str; 2] = ["meteor_autoupdate_clientVersions", "meteor.loginServiceConfiguration"];

/// Adds those that the app has not registered itself. All are open to users who must set up a second factor first.
pub(crate) fn add(publications: &mut PublicationRegistry) -> Result<(), BuildError> {
    for name in NAMES {
        if publications.find(name).is_none() {
            publications.add(name, nothing)?;
        }
        publications.open_to_enrolment(name);
    }
    Ok(())
}

/// Is ready at once, without documents. Accepts all parameters.
async fn nothing(_: Subscription, _: Parameters) -> MethodResult<()> {
    Ok(())
}
