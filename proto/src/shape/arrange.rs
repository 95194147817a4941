//! Layers that give their input another shape.

use super::fault::{Fault, image};
use super::{Made, display_shape, values};
use crate::v1::{Permute, Reshape};

/// (...) -> (product)
pub(super) fn flatten(input: &[u32]) -> Result<Made, Fault> {
    Ok(Made::new("Flatten", &[product(input)?]))
}

/// (h, w, c) -> (h, w * c)
pub(super) fn to_sequence(input: &[u32]) -> Result<Made, Fault> {
    let [height, width, channels] = image("to_sequence", input)?;
    Ok(Made::new("Reshape", &[height, product(&[width, channels])?]))
}

/// (...) -> shape, where -1 is whatever is left
pub(super) fn reshape(options: &Reshape, input: &[u32]) -> Result<Made, Fault> {
    let wanted = written(&options.shape);
    let unfit = || {
        let (count, from) = (values(input), display_shape(input));
        Fault::new(format!("the {count} values of its input {from} cannot be arranged as {wanted}"))
            .hint("let one size be -1: whatever is left")
    };
    let open = options.shape.iter().filter(|&&size| size == -1).count();
    if options.shape.is_empty()
        || open > 1
        || options.shape.iter().any(|&size| size < -1 || size == 0)
    {
        let message =
            format!("`shape` is {wanted}, but needs positive sizes, of which one may be -1");
        return Err(Fault::new(message));
    }
    let mut given = options.shape.iter().filter(|&&size| size != -1);
    let given =
        given.try_fold(1_u64, |product, &size| product.checked_mul(u64::from(size.unsigned_abs())));
    let given = given.ok_or_else(unfit)?;
    let all = values(input);
    if !all.is_multiple_of(given) || (open == 0 && all != given) {
        return Err(unfit());
    }
    let left = u32::try_from(all / given).map_err(|_| unfit())?;
    let size = |&size: &i32| if size == -1 { left } else { size.unsigned_abs() };
    let shape: Vec<u32> = options.shape.iter().map(size).collect();
    Ok(Made::new("Reshape", &shape))
}

/// Axes in another order, counted from 1.
pub(super) fn permute(options: &Permute, input: &[u32]) -> Result<Made, Fault> {
    let mut sorted = options.dims.clone();
    sorted.sort_unstable();
    let rank = u32::try_from(input.len()).unwrap_or(u32::MAX);
    if !sorted.iter().copied().eq(1..=rank) {
        let dims = display_shape(&options.dims);
        let message = format!(
            "`dims` {dims} do not order the {rank} axes of its input {}",
            display_shape(input)
        );
        return Err(Fault::new(message).hint(format!("name each of 1 to {rank} once")));
    }
    let shape: Vec<u32> = options.dims.iter().map(|&axis| input[axis as usize - 1]).collect();
    Ok(Made::new("Permute", &shape))
}

fn written(shape: &[i32]) -> String {
    let sizes: Vec<String> = shape.iter().map(i32::to_string).collect();
    format!("({})", sizes.join(", "))
}

/// Product of sizes that must be one size itself.
fn product(sizes: &[u32]) -> Result<u32, Fault> {
    sizes.iter().try_fold(1_u32, |product, &size| product.checked_mul(size)).ok_or_else(|| {
        Fault::new(format!(
            "its output would have the size of {}, which is more than {}",
            display_shape(sizes),
            u32::MAX
        ))
        .hint("pool more before it")
    })
}
