//! The roll proven: each rule that it decides, a few events at a time; random company histories in any
//! order against in-order delivery; and a second, simple model written from the rules alone.

mod address_rules;
mod any_order;
mod attribute_rules;
mod decided;
mod desk;
mod identity_rules;
mod keeper_rules;
mod lifecycle_rules;
mod lost;
mod mapping_rules;
mod order_rules;
mod place_rules;
mod reference;
mod ruled;
mod screen_rules;
mod screened;
mod seat_rules;
mod story;
pub(super) mod teller;
mod told;
