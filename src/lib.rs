//! x
#![allow(missing_docs)]
pub mod charter;
pub mod consent;
pub mod cookie;
pub mod enforce;
pub mod policy;
