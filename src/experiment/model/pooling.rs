//! Pools.

use sweep_proto::v1;
use sweep_proto::v1::layer::Kind;
use sweep_proto::v1::{Reduction, Size};

use super::options::{Given, Options};
use crate::experiment::error::Fault;

const KEYS: [&str; 3] = ["pool", "strides", "padding"];

type Read<'a> = Result<(Given<'a>, Kind), Fault>;

pub(super) fn max_pool1d<'a>(options: &Options<'a, '_>) -> Read<'a> {
    pool1d(options, Reduction::Max)
}

pub(super) fn avg_pool1d<'a>(options: &Options<'a, '_>) -> Read<'a> {
    pool1d(options, Reduction::Average)
}

pub(super) fn max_pool2d<'a>(options: &Options<'a, '_>) -> Read<'a> {
    pool2d(options, Reduction::Max)
}

pub(super) fn avg_pool2d<'a>(options: &Options<'a, '_>) -> Read<'a> {
    pool2d(options, Reduction::Average)
}

pub(super) fn global_max_pool1d<'a>(options: &Options<'a, '_>) -> Read<'a> {
    global(options, Reduction::Max, Kind::GlobalPool1d)
}

pub(super) fn global_avg_pool1d<'a>(options: &Options<'a, '_>) -> Read<'a> {
    global(options, Reduction::Average, Kind::GlobalPool1d)
}

pub(super) fn global_max_pool2d<'a>(options: &Options<'a, '_>) -> Read<'a> {
    global(options, Reduction::Max, Kind::GlobalPool2d)
}

pub(super) fn global_avg_pool2d<'a>(options: &Options<'a, '_>) -> Read<'a> {
    global(options, Reduction::Average, Kind::GlobalPool2d)
}

fn pool1d<'a>(options: &Options<'a, '_>, reduction: Reduction) -> Read<'a> {
    let given = options.fields(&KEYS, Some("pool"))?;
    let pool = given.count_or("pool", 2)?;
    let kind = Kind::Pool1d(v1::Pool1d {
        pool,
        strides: given.count_or("strides", pool)?,
        padding: given.padding()?,
        reduction: reduction.into(),
    });
    Ok((given, kind))
}

fn pool2d<'a>(options: &Options<'a, '_>, reduction: Reduction) -> Read<'a> {
    let given = options.fields(&KEYS, Some("pool"))?;
    let two = Size { height: 2, width: 2 };
    let pool = given.size_or("pool", two)?;
    let kind = Kind::Pool2d(v1::Pool2d {
        pool,
        strides: given.size_or("strides", pool.unwrap_or(two))?,
        padding: given.padding()?,
        reduction: reduction.into(),
    });
    Ok((given, kind))
}

fn global<'a>(
    options: &Options<'a, '_>,
    reduction: Reduction,
    kind: fn(v1::GlobalPool) -> Kind,
) -> Read<'a> {
    let given = options.fields(&[], None)?;
    Ok((given, kind(v1::GlobalPool { reduction: reduction.into() })))
}
