//! `schedule`: how the learning rate changes.

use sweep_proto::v1;
use sweep_proto::v1::schedule::Kind;

use super::{MAX_EPOCHS, choice, from_0_to_1, monitor};
use crate::experiment::error::Fault;
use crate::experiment::node::{Fields, Node};

const SCHEDULES: [&str; 4] = ["exponential", "step", "cosine", "plateau"];

const SCHEDULES_LATER: [&str; 4] = ["polynomial", "inverse_time", "piecewise", "one_cycle"];

/// - `epochs`: of a whole training, over which a cosine stretches
pub(super) fn read(node: &Node<'_>, epochs: u32) -> Result<v1::Schedule, Fault> {
    let (name, options) = choice(node, "schedule", &SCHEDULES, &SCHEDULES_LATER)?;
    let fields = |keys: &[&str]| {
        let given = options.as_ref().map(|node| node.fields(&format!("`{name}`"), keys, &[]));
        given.transpose().map(|fields| Given { fields, node, name })
    };
    let kind = match name {
        "exponential" => {
            let given = fields(&["hold", "factor"])?;
            let factor = given.factor("exponential: {hold: 10, factor: 0.95}")?;
            Kind::Exponential(v1::Exponential { hold: given.epochs("hold", 0)?, factor })
        }
        "step" => {
            const FORM: &str = "step: {every: 10, factor: 0.5}";
            let given = fields(&["every", "factor"])?;
            let every = given.required("every", FORM)?.whole_u32(1..=MAX_EPOCHS)?;
            Kind::Step(v1::Step { every, factor: given.factor(FORM)? })
        }
        "cosine" => {
            let given = fields(&["warmup", "minimum"])?;
            let warmup = given.epochs("warmup", 0)?;
            if warmup >= epochs {
                let place = given.optional("warmup").unwrap_or_else(|| node.clone());
                let message = format!("the warm-up of {warmup} epochs leaves none of {epochs}");
                return Err(place.fault(message).hint("raise `epochs`, or shorten it"));
            }
            let minimum = given.optional("minimum").map_or(Ok(0.0), |node| from_0_to_1(&node))?;
            Kind::Cosine(v1::Cosine { epochs, warmup, minimum })
        }
        _ => Kind::Plateau(plateau(&fields(&[
            "monitor",
            "direction",
            "factor",
            "patience",
            "min_delta",
            "cooldown",
            "minimum",
        ])?)?),
    };
    Ok(v1::Schedule { kind: Some(kind) })
}

/// Defaults are those of Keras's ReduceLROnPlateau.
fn plateau(given: &Given<'_, '_>) -> Result<v1::Plateau, Fault> {
    let (monitor, direction) = match &given.fields {
        Some(fields) => monitor(fields, "plateau")?,
        None => ("val_loss".to_owned(), v1::Direction::Min.into()),
    };
    let not_negative = |key, default| {
        let read = |node: Node<'_>| node.real("a number of at least 0", |number| number >= 0.0);
        given.optional(key).map_or(Ok(default), read)
    };
    let factor = match given.optional("factor") {
        Some(node) => factor(&node)?,
        None => 0.1,
    };
    let patience = match given.optional("patience") {
        Some(node) => node.whole_u32(1..=MAX_EPOCHS)?,
        None => 10,
    };
    Ok(v1::Plateau {
        monitor,
        direction,
        factor,
        patience,
        min_delta: not_negative("min_delta", 1e-4)?,
        cooldown: given.epochs("cooldown", 0)?,
        minimum: not_negative("minimum", 0.0)?,
    })
}

/// The options of a schedule, if there are any.
struct Given<'a, 'b> {
    fields: Option<Fields<'a>>,
    node: &'b Node<'a>,
    name: &'static str,
}

impl<'a> Given<'a, '_> {
    fn optional(&self, key: &str) -> Option<Node<'a>> {
        self.fields.as_ref()?.optional(key)
    }

    fn required(&self, key: &str, form: &str) -> Result<Node<'a>, Fault> {
        self.optional(key).ok_or_else(|| {
            let message = format!("`{key}` is missing in `{}`", self.name);
            self.node.fault(message).self_contained().hint(format!("write `{form}`"))
        })
    }

    fn factor(&self, form: &str) -> Result<f64, Fault> {
        factor(&self.required("factor", form)?)
    }

    fn epochs(&self, key: &str, default: u32) -> Result<u32, Fault> {
        self.optional(key).map_or(Ok(default), |node| node.whole_u32(0..=MAX_EPOCHS))
    }
}

fn factor(node: &Node<'_>) -> Result<f64, Fault> {
    node.real("a factor above 0 and below 1", |factor| factor > 0.0 && factor < 1.0)
}
