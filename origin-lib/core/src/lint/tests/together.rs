use super::*;
pub(super) const RULES: &[&Rule] = &[];
