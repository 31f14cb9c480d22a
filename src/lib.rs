//! x
pub mod cookie;
