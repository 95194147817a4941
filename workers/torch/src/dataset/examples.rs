//! [`Examples`] and the one way to go through them: in [`Batches`].
//!
//! Inputs lie on the device as a whole, or stay in their file and come batch by
//! batch; nobody who trains sees which. The numbers are the same.

use tch::{Device, Kind, Tensor};

use super::rows::{Ahead, Rows};
use super::tracks::Tracks;
use crate::error::DatasetError;

/// Where inputs lie while they are trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// All on the device: a batch is a selection of rows there.
    OnDevice,
    /// In their file: the next batch is read while one is trained on.
    InFile,
}

/// Inputs, their classes and tracks.
#[derive(Debug)]
pub(crate) struct Examples {
    rows: Rows,
    /// All inputs, `[examples, ...]`, f32, on the device; if they are to lie there.
    placed: Option<Tensor>,
    /// `[examples]`, i64, from 0, on the device.
    pub(crate) labels: Tensor,
    /// Absent if nothing can be measured of tracks: if every track has a single
    /// example, or if one has examples of several classes.
    pub(crate) tracks: Option<Tracks>,
}

impl Examples {
    /// Inputs that stay in their file for now.
    ///
    /// - `labels`: as many as rows, on the device
    pub(super) fn new(rows: Rows, labels: Tensor, tracks: Option<Tracks>) -> Self {
        Self { rows, placed: None, labels, tracks }
    }

    /// How many there are; at least one.
    pub(crate) fn len(&self) -> i64 {
        self.labels.size()[0]
    }

    /// What the inputs take on the device, in bytes.
    pub(super) fn input_bytes(&self) -> u64 {
        self.rows.bytes()
    }

    /// Puts the inputs where they are to lie, if they do not lie there.
    pub(super) fn place(&mut self, placement: Placement) -> Result<(), DatasetError> {
        match placement {
            Placement::InFile => self.placed = None,
            Placement::OnDevice if self.placed.is_some() => {}
            Placement::OnDevice => self.placed = Some(self.rows.place()?),
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn placement(&self) -> Placement {
        if self.placed.is_some() { Placement::OnDevice } else { Placement::InFile }
    }

    /// All examples in order; the last batch is as short as it comes.
    ///
    /// - `batch_size`: at least one
    ///
    /// # Errors
    ///
    /// [`DatasetError::Thread`] if no thread can be started to read them.
    pub(crate) fn in_order(&self, batch_size: i64) -> Result<Batches<'_>, DatasetError> {
        self.batches(None, batch_size, 0)
    }

    /// All examples in an order that is drawn from torch's global generator; the
    /// last batch is as short as it comes.
    ///
    /// - `batch_size`: at least one
    /// - `skipped`: how many batches are left out, from the first on; they are
    ///   not read
    ///
    /// # Errors
    ///
    /// As [`Examples::in_order`].
    pub(crate) fn shuffled(
        &self,
        batch_size: i64,
        skipped: u32,
    ) -> Result<Batches<'_>, DatasetError> {
        // Drawn on the CPU, so that the order is the same on every device.
        let order = Tensor::f_randperm(self.len(), (Kind::Int64, Device::Cpu))?;
        self.batches(Some(order), batch_size, skipped)
    }

    fn batches(
        &self,
        order: Option<Tensor>,
        batch_size: i64,
        skipped: u32,
    ) -> Result<Batches<'_>, DatasetError> {
        let batch_size = batch_size.max(1);
        let start = batch_size.saturating_mul(skipped.into()).min(self.len());
        let inputs = match &self.placed {
            Some(placed) => Inputs::Placed(placed),
            None => {
                let numbers = order.as_ref().map(Vec::<i64>::try_from).transpose()?;
                let number = |row| usize::try_from(row).expect("a permutation of row numbers");
                let first = number(start);
                let numbers =
                    numbers.map(|numbers| numbers.into_iter().skip(first).map(number).collect());
                let length = usize::try_from(batch_size).expect("it is at least one");
                Inputs::Ahead(self.rows.read_ahead(numbers, length).map_err(DatasetError::Thread)?)
            }
        };
        let order = order.map(|order| order.f_to(self.labels.device())).transpose()?;
        Ok(Batches { examples: self, inputs, order, batch_size, start })
    }
}

/// Some examples, on the device.
#[derive(Debug)]
pub(crate) struct Batch {
    /// `[batch, ...]`, f32, channels last.
    pub(crate) inputs: Tensor,
    /// `[batch]`, i64.
    pub(crate) labels: Tensor,
    /// `[batch]`, i64: numbers of the examples' tracks, where tracks are measured.
    pub(crate) tracks: Option<Tensor>,
}

/// Where a batch's inputs come from.
#[derive(Debug)]
enum Inputs<'a> {
    Placed(&'a Tensor),
    Ahead(Ahead),
}

/// One pass over examples.
#[derive(Debug)]
pub(crate) struct Batches<'a> {
    examples: &'a Examples,
    inputs: Inputs<'a>,
    /// Numbers of examples, on the device; all in order if absent.
    order: Option<Tensor>,
    batch_size: i64,
    /// How many examples have come, or were left out.
    start: i64,
}

impl Batches<'_> {
    fn read(&mut self, start: i64, length: i64) -> Result<Batch, DatasetError> {
        let rows = self.order.as_ref().map(|order| order.f_narrow(0, start, length));
        let rows = rows.transpose()?;
        let select = |values: &Tensor| match &rows {
            Some(rows) => values.f_index_select(0, rows),
            None => values.f_narrow(0, start, length),
        };
        let inputs = match &mut self.inputs {
            Inputs::Placed(placed) => select(placed)?,
            Inputs::Ahead(ahead) => ahead.next().expect("it reads as many batches")?,
        };
        let tracks = self.examples.tracks.as_ref().map(|tracks| select(&tracks.of_examples));
        Ok(Batch { inputs, labels: select(&self.examples.labels)?, tracks: tracks.transpose()? })
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.start;
        let length = self.batch_size.min(self.examples.len() - start);
        if length <= 0 {
            return None;
        }
        let batch = self.read(start, length);
        // Nothing comes behind a failure.
        self.start = if batch.is_ok() { start + length } else { self.examples.len() };
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Dataset;
    use crate::testing;

    #[test]
    fn batches_are_the_same_wherever_the_inputs_lie() {
        let folder = testing::write_dataset(100, &[3, 1, 1], 2);
        let groups: Vec<i64> = (0..100).map(|row| row / 20 * 2 + row % 2).collect();
        let groups = Tensor::from_slice(&groups);
        groups.write_npy(folder.path().join("groups.npy")).expect("the folder is writable");
        let mut dataset =
            Dataset::open(folder.path(), &testing::specification(&[3, 1, 1], 2), Device::Cpu)
                .expect("just written");
        assert_eq!(dataset.input_bytes(), 90 * 3 * 4);
        let mut passes = Vec::new();
        for placement in [Placement::OnDevice, Placement::InFile, Placement::OnDevice] {
            dataset.place(placement).expect("small");
            assert_eq!(dataset.train.placement(), placement);
            let _guard = testing::seed(3);
            let examples = &dataset.train;
            let shuffled = examples.shuffled(8, 0).expect("a thread");
            let in_order = examples.in_order(8).expect("a thread");
            let batches: Vec<_> =
                shuffled.chain(in_order).map(|batch| batch.expect("small")).collect();
            let lengths: Vec<_> = batches.iter().map(|batch| batch.labels.size()[0]).collect();
            assert_eq!(lengths, [8, 8, 8, 8, 8, 8, 8, 8, 6].repeat(2));
            let values = batches
                .into_iter()
                .map(|batch| (batch.inputs, batch.labels, batch.tracks.expect("there are some")));
            passes.push(values.collect::<Vec<_>>());
        }
        assert_eq!(passes[1], passes[0]);
        assert_eq!(passes[2], passes[0]);
        for placement in [Placement::OnDevice, Placement::InFile] {
            dataset.place(placement).expect("small");
            for skipped in [1, 8, 9, 10, u32::MAX] {
                let _guard = testing::seed(3);
                let rest = dataset.train.shuffled(8, skipped).expect("a thread");
                let rest: Vec<_> = rest.map(|batch| batch.expect("small").inputs).collect();
                let shuffled = passes[0].iter().take(9);
                let expected = shuffled.skip(skipped as usize).map(|(inputs, ..)| inputs);
                assert!(rest.iter().eq(expected), "{skipped} left out, {placement:?}");
            }
        }
        // Inputs keep their classes: those of class 1 are brightest at the end.
        let (inputs, labels, _) = &passes[1][0];
        let found = inputs.view([8, 3]).argmax(1, false).eq(2).to_kind(Kind::Int64);
        assert_eq!(&found, labels);
    }
}
