//! `callWithTwoFactorRequired`: the documented way to call a gated method with a code, which is not one of its parameters.
//! The method is called as if the client had called it directly: with its own limits, policy and gate.

use bolide_protocol::two_factor::TwoFactorCode;
use bolide_protocol::{DdpError, RawJson};
use serde::Deserialize;

use crate::call::{Context, MethodResult, Parameters};

pub(super) const NAME: &str = "callWithTwoFactorRequired";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    #[serde(default)]
    code: Option<String>,
    ddp_method: String,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    params: Vec<bolide_protocol::Ejson>,
}

pub(super) async fn call_with_code(context: Context, parameters: Parameters) -> MethodResult<Option<RawJson>> {
    if context.user_id().is_none() {
        let details = serde_json::json!({ "method": NAME });
        return Err(DdpError::new("error-invalid-user", "Invalid user").with_details(details).into());
    }
    let wanted: Wanted = parameters.get(0)?;
    if wanted.ddp_method == NAME {
        return Err(DdpError::match_failed().into());
    }
    let mut params = wanted.params;
    let code = wanted.code.filter(|code| !code.is_empty() && context.is_gated(&wanted.ddp_method));
    if let Some(code) = code {
        // An unknown factor leaves the choice to the gate.
        let method = wanted.method.filter(|method| !method.is_empty()).unwrap_or_else(|| "any".to_owned());
        params.push(serde_json::from_value(TwoFactorCode::new(code, method).to_parameter())?);
    }
    context.call_for_client(&wanted.ddp_method, Parameters::from_values(&params)?).await
}
