//! What an epoch measures.
//!
//! A [`Schema`] is made once for an execution: the names of all metrics, in the
//! order in which they are reported. [`Totals`] sums over the batches of a part
//! of the dataset and gives its [`Scores`]; [`Measured`] is the values of one
//! epoch, and [`goals`] what is made of them: the best epoch, and whether to
//! stop early.

pub(crate) mod goals;
mod schema;
mod scores;
mod totals;

pub(crate) use self::schema::{Column, Measured, Reported, Schema};
pub(crate) use self::scores::Scores;
pub(crate) use self::totals::{Batch, Totals};
