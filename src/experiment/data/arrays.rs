//! NumPy's arrays: files, and names of classes.

use super::path;
use crate::data::{ArrayFiles, ArraySettings};
use crate::experiment::error::Fault;
use crate::experiment::node::{Fields, Node, shorten};

const EXAMPLE: &str = "write `npy: {x: x.npy, y: y.npy}`, or `npy: arrays.npz`";

/// Reads the value of `npy`: an archive, or files and options.
pub(super) fn read(node: &Node<'_>) -> Result<ArraySettings, Fault> {
    if !node.value().is_mapping() {
        let file = path(node, "file").map_err(|fault| fault.hint(EXAMPLE))?;
        if file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy")) {
            let fault = node.fault("one array does not have examples and their classes");
            return Err(fault.hint(EXAMPLE));
        }
        let (x, y) = ("x".to_owned(), "y".to_owned());
        let files = ArrayFiles::Archive { file, x, y, groups: None };
        return Ok(ArraySettings { files, names: None });
    }
    let fields = node.fields("`npy`", &["file", "x", "y", "groups", "names"], &[])?;
    let files = match fields.optional("file") {
        Some(file) => {
            let member = |key: &str| -> Result<String, Fault> {
                match fields.optional(key) {
                    Some(node) => name(&node, "array"),
                    None => Ok(key.to_owned()),
                }
            };
            let groups = fields.optional("groups").map(|node| name(&node, "array")).transpose()?;
            ArrayFiles::Archive {
                file: path(&file, "file")?,
                x: member("x")?,
                y: member("y")?,
                groups,
            }
        }
        None => ArrayFiles::Apart {
            x: required(&fields, "x")?,
            y: required(&fields, "y")?,
            groups: fields.optional("groups").map(|node| path(&node, "file")).transpose()?,
        },
    };
    let names = fields.optional("names").map(|node| names(&node)).transpose()?;
    Ok(ArraySettings { files, names })
}

fn required(fields: &Fields<'_>, key: &str) -> Result<std::path::PathBuf, Fault> {
    let node = fields.optional(key).ok_or_else(|| fields.missing(key).hint(EXAMPLE))?;
    path(&node, "file")
}

fn name(node: &Node<'_>, what: &str) -> Result<String, Fault> {
    let name = node.text()?;
    if name.is_empty() {
        return Err(node.fault(format!("the name of the {what} is empty")));
    }
    Ok(name.into_owned())
}

/// Names of the classes 0, 1, ...
fn names(node: &Node<'_>) -> Result<Vec<String>, Fault> {
    let items = node.items()?;
    let most = super::MAX_CLASSES as usize;
    if items.len() < 2 || items.len() > most {
        let fault = format!("expected from 2 to {most} names, found {}", items.len());
        return Err(node.fault(fault));
    }
    let mut names: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let name = name(&item, "class")?;
        if names.contains(&name) {
            return Err(item.fault(format!("`{}` is listed twice", shorten(&name))));
        }
        names.push(name);
    }
    Ok(names)
}
