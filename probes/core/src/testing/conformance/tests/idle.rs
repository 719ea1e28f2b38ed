//! A probe that does nothing, for checks that look only at its descriptor.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::options::OptionsError;
use crate::{Context, Fault, Options, Probe, Target, async_trait};

/// No options, which are also those of a probe that has nothing to choose.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in super::super) struct Idle {}

/// Does nothing.
#[derive(Debug)]
#[expect(
    unnameable_types,
    reason = "the probe of a generic implementation must be public"
)]
pub struct Nothing;

#[async_trait]
impl Probe for Nothing {
    async fn measure(&mut self, _: &Context<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

impl Options for Idle {
    type Probe = Nothing;

    fn aim(self: &Arc<Self>, _: &Target) -> Result<Nothing, OptionsError> {
        Ok(Nothing)
    }
}
