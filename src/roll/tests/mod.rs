//! The roll proven: random company histories in any order against in-order delivery.

mod any_order;
mod desk;
mod story;
