//! Layers that join branches.

use super::fault::Fault;
use super::{Made, display_shape};
use crate::v1::Concatenate;

/// Sizes along the axis are added up; all others must be the same.
pub(super) fn concatenate(options: &Concatenate, branches: &[Vec<u32>]) -> Result<Made, Fault> {
    let [first, others @ ..] = branches else { return Err(Fault::new("it has no branches")) };
    let axis = axis(options.axis, first)?;
    let mut shape = first.clone();
    for other in others {
        let is_like_first = other.len() == first.len()
            && (0..first.len()).all(|index| index == axis || other[index] == first[index]);
        if !is_like_first {
            let message = format!(
                "its branches give {}, which cannot be joined along axis {}: all other sizes must \
                 be the same",
                listed(branches),
                axis + 1
            );
            let hint = if other.len() == first.len() {
                "use the same `padding` and `strides` in all branches, or end each with `flatten`"
            } else {
                "end each branch with `flatten` or a global pool"
            };
            return Err(Fault::new(message).hint(hint));
        }
        shape[axis] = shape[axis].checked_add(other[axis]).ok_or_else(|| {
            Fault::new(format!("its branches give {}, which are too many values", listed(branches)))
        })?;
    }
    Ok(Made::new("Concatenate", &shape))
}

/// All shapes must be the same.
///
/// - `has_shortcut`: whether there are layers in every branch
pub(super) fn add(branches: &[Vec<u32>], has_shortcut: bool) -> Result<Made, Fault> {
    let [first, others @ ..] = branches else { return Err(Fault::new("it has no branches")) };
    if others.iter().all(|other| other == first) {
        return Ok(Made::new("Add", first));
    }
    let message = format!("its branches give {}, which cannot be added", listed(branches));
    Err(Fault::new(message).hint(if has_shortcut {
        "make all branches end in the same shape: the same `filters`, `strides` and `padding`"
    } else {
        "use `padding: same`, and a `shortcut` that ends in the same shape, such as \
         `[conv2d: {filters: 64, kernel: 1}]`"
    }))
}

/// An index of `shape`: axes count from 1, or from behind with -1 as the last.
fn axis(axis: i32, shape: &[u32]) -> Result<usize, Fault> {
    let rank = i32::try_from(shape.len()).unwrap_or(i32::MAX);
    let index = if axis < 0 { axis.checked_add(rank) } else { axis.checked_sub(1) };
    match index.and_then(|index| usize::try_from(index).ok()) {
        Some(index) if index < shape.len() => Ok(index),
        _ => Err(Fault::new(format!(
            "`axis` is {axis}, but its branches give {}",
            display_shape(shape)
        ))
        .hint(format!("write 1 to {rank}, or -1 for the last one"))),
    }
}

/// `(4, 4, 3) and (2, 4, 3)`
fn listed(branches: &[Vec<u32>]) -> String {
    let shapes: Vec<String> = branches.iter().map(|shape| display_shape(shape)).collect();
    match shapes.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
