//! Publications that Meteor clients subscribe to by themselves. Without them, a client would ask again and again.

use super::{PublicationRegistry, Subscription};
use crate::call::{MethodResult, Parameters};
use crate::error::BuildError;

/// Versions of the app's client code, which are not served here; and configurations of login services, of which there
/// are none.
const NAMES: [&str; 2] = ["meteor_autoupdate_clientVersions", "meteor.loginServiceConfiguration"];

/// Adds those that the app has not registered itself.
pub(crate) fn add(publications: &mut PublicationRegistry) -> Result<(), BuildError> {
    for name in NAMES {
        if publications.find(name).is_none() {
            publications.add(name, nothing)?;
        }
    }
    Ok(())
}

/// Is ready at once, whatever it is asked.
async fn nothing(_: Subscription, _: Parameters) -> MethodResult<()> {
    Ok(())
}
