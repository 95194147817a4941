//! Pausing and going on.

use super::*;

/// Trains in parts up to each of these epochs, every part with a new trainer.
/// Returns all metrics, and what the last part left.
pub(super) fn train_in_parts(
    make: impl Fn(u32) -> Execution,
    parts: &[u32],
) -> (Vec<(u32, Vec<v1::Metric>)>, Trained) {
    let mut recorder = Recorder::default();
    let mut trained = Trained::default();
    for &epochs in parts {
        let mut execution = make(epochs);
        execution.checkpoint = trained.checkpoint.take();
        execution.keep_checkpoint = true;
        trained = train(&execution, &mut recorder).expect("it trains");
    }
    let metrics = recorder.measurements.into_iter();
    (metrics.map(|measured| (measured.epoch, measured.metrics)).collect(), trained)
}

#[test]
fn going_on_from_a_checkpoint_is_training_on_to_the_bit() {
    let folder = dataset();
    let plain = |epochs| execution(folder.path(), epochs);
    // Its best epoch is the first, and early stopping has waited when it pauses.
    let stopping = |epochs| {
        let mut execution = execution(folder.path(), epochs);
        execution.specification.objective = Some(Objective {
            metric: "loss".into(),
            direction: Direction::Max.into(),
            terms: Vec::new(),
        });
        training(&mut execution).early_stopping = Some(EarlyStopping {
            monitor: "loss".into(),
            direction: Direction::Max.into(),
            patience: 4,
            min_delta: 0.0,
            restore_best: false,
        });
        execution
    };
    // The weights to restore are those of an epoch before it pauses, although
    // the objective has been better since.
    let restoring = |epochs| {
        let mut execution = stopping(epochs);
        execution.specification.objective = Some(Objective {
            metric: "loss".into(),
            direction: Direction::Min.into(),
            terms: Vec::new(),
        });
        let stopping = training(&mut execution).early_stopping.as_mut();
        stopping.expect("set above").restore_best = true;
        execution
    };
    let whole = train_in_parts(plain, &[6]);
    assert_eq!(whole.0.len(), 6);
    assert!(train_in_parts(plain, &[1, 4, 6]) == whole, "not the same bits");
    let whole = train_in_parts(stopping, &[9]);
    assert_eq!(whole.0.len(), 5, "ended early");
    assert_eq!(whole.1.checkpoint.as_ref().map(|checkpoint| checkpoint.epoch), Some(5));
    assert!(train_in_parts(stopping, &[2, 3, 9]) == whole, "not the same bits");
    let whole = train_in_parts(restoring, &[9]);
    assert_eq!(whole.1.weights, train_in_parts(restoring, &[1]).1.weights, "the first is the best");
    assert!(train_in_parts(restoring, &[2, 3, 9]) == whole, "not the same bits");
    // One that has ended early goes on when it is told to.
    assert_eq!(train_in_parts(stopping, &[9, 10]).0.len(), 6);

    // With nothing left to train, there is still something to hand in.
    let mut done = plain(2);
    done.keep_checkpoint = true;
    let trained = train(&done, &mut Recorder::default()).expect("it trains");
    done.checkpoint.clone_from(&trained.checkpoint);
    let mut recorder = Recorder::default();
    assert!(train(&done, &mut recorder).expect("nothing to do") == trained);
    assert_eq!(recorder.measurements.len(), 0);
}

/// The metrics of epochs.
type Curve = Vec<(u32, Vec<v1::Metric>)>;

/// Trains in parts, of which each is told to leave when it has asked as often as
/// `leave_after` says; the one after them goes on to the end. Returns all metrics, where the parts left off, and what there was in the end.
fn train_with_interruptions(
    make: impl Fn() -> Execution,
    leave_after: &[u32],
) -> (Curve, Vec<(u32, u32)>, Trained) {
    let mut measurements = Vec::new();
    let mut places = Vec::new();
    let mut checkpoint = None;
    for leave_after in leave_after.iter().copied().map(Some).chain([None]) {
        let mut recorder = Recorder { leave_after, ..Recorder::default() };
        let mut execution = make();
        execution.checkpoint = checkpoint.take();
        execution.keep_checkpoint = true;
        let ending = run(&execution, &mut recorder).expect("it trains");
        measurements.extend(recorder.measurements.into_iter().map(|m| (m.epoch, m.metrics)));
        match ending {
            Ending::Left(Some(left)) => {
                places.push((left.epoch, left.step));
                checkpoint = Some(left);
            }
            Ending::Finished(trained) => return (measurements, places, trained),
            ending @ (Ending::Left(None) | Ending::Stopped) => panic!("{ending:?}"),
        }
    }
    unreachable!("nobody tells the last part to leave")
}

#[test]
fn leaving_anywhere_changes_nothing_to_the_bit() {
    let folder = dataset();
    // As if several slices came from a recording: tracks are measured too.
    let groups: Vec<i64> = (0..100).map(|row| row / 30 * 3 + row % 3).collect();
    let groups = tch::Tensor::from_slice(&groups);
    groups.write_npy(folder.path().join("groups.npy")).expect("the folder is writable");
    let make = || {
        let mut execution = execution(folder.path(), 3);
        training(&mut execution).early_stopping = Some(EarlyStopping {
            monitor: "loss".into(),
            direction: Direction::Max.into(),
            patience: 2,
            min_delta: 0.0,
            restore_best: false,
        });
        training(&mut execution).top_k = 2;
        execution
    };
    let whole = train_in_parts(|_| make(), &[3]);
    assert_eq!(whole.0.len(), 3);
    // 70 examples to train on make nine steps, 20 to validate on three; the
    // report is a question too. Validation is done again as a whole.
    let mut seen = std::collections::BTreeSet::new();
    let parts: [&[u32]; 5] = [&[1, 1, 7, 2, 5], &[9], &[12], &[4; 6], &[30, 3]];
    for leave_after in parts {
        let (measurements, places, trained) = train_with_interruptions(make, leave_after);
        assert!(measurements == whole.0, "left after {leave_after:?} questions: other metrics");
        assert!(trained == whole.1, "left after {leave_after:?} questions: other weights");
        seen.extend(places);
    }
    assert!(seen.contains(&(0, 1)), "in its first epoch: {seen:?}");
    assert!(seen.contains(&(0, 9)), "while it validated: {seen:?}");
    assert!(seen.contains(&(1, 0)), "between two epochs: {seen:?}");
    assert!(seen.iter().any(|(epoch, step)| *epoch == 2 && *step > 0), "{seen:?}");
}

#[test]
fn checkpoints_beside_training_change_nothing() {
    let folder = dataset();
    let mut execution = execution(folder.path(), 4);
    let whole = train_in_parts(|_| execution.clone(), &[4]);
    execution.keep_checkpoint = true;
    training(&mut execution).checkpoint_ms = 5;
    let mut recorder = Recorder { wants_checkpoints: true, ..Recorder::default() };
    let trained = train(&execution, &mut recorder).expect("it trains");
    assert!(trained == whole.1, "the same weights, and the same checkpoint in the end");
    let made = recorder.checkpoints.iter().map(|made| (made.epoch, made.step));
    assert_eq!(made.collect::<Vec<_>>(), [(1, 0), (2, 0), (3, 0)]);
    execution.checkpoint = recorder.checkpoints.pop();
    training(&mut execution).checkpoint_ms = 0;
    let mut rest = Recorder::default();
    assert!(train(&execution, &mut rest).expect("it goes on") == whole.1);
    let rest: Vec<_> = rest.measurements.into_iter().map(|m| (m.epoch, m.metrics)).collect();
    assert!(rest == whole.0[3..], "the last epoch");
}

#[test]
fn a_checkpoint_from_within_an_epoch_that_is_not_trained_is_refused() {
    let folder = dataset();
    let mut recorder = Recorder { leave_after: Some(20), ..Recorder::default() };
    let ending = run(&execution(folder.path(), 5), &mut recorder).expect("it trains");
    let Ending::Left(Some(left)) = ending else { panic!("not left: {ending:?}") };
    assert_eq!((left.epoch, left.step), (1, 7));
    let mut shorter = execution(folder.path(), 1);
    shorter.checkpoint = Some(left.clone());
    let failure = train(&shorter, &mut Recorder::default()).expect_err("refused");
    assert_eq!(failure.message, "the checkpoint is from within epoch 2, and 1 are to be trained");
    let mut elsewhere = execution(folder.path(), 5);
    elsewhere.checkpoint = Some(Checkpoint { step: 6, ..left });
    let failure = train(&elsewhere, &mut Recorder::default()).expect_err("refused");
    assert_eq!(failure.message, "the checkpoint is of epoch 1, step 7, not of epoch 1, step 6");
}

#[test]
fn a_checkpoint_that_does_not_fit_is_refused_with_the_reason() {
    let folder = dataset();
    let source = Execution { keep_checkpoint: true, ..execution(folder.path(), 1) };
    let trained = train(&source, &mut Recorder::default()).expect("it trains");
    let made = trained.checkpoint.expect("asked for");
    let weights = trained.weights.expect("an epoch is the best");
    let refusal = |change: &dyn Fn(&mut Execution), epoch: u32, bytes: &[u8]| {
        let mut execution = execution(folder.path(), 2);
        change(&mut execution);
        execution.checkpoint = Some(Checkpoint { epoch, step: 0, bytes: bytes.to_vec() });
        let mut recorder = Recorder::default();
        let failure = train(&execution, &mut recorder).expect_err("refused");
        assert_eq!((failure.kind, recorder.measurements.len()), (FailureKind::Error, 0));
        failure.message
    };
    let same = |_: &mut Execution| {};
    assert_eq!(
        refusal(&|execution| execution.seed = 1, 1, &made.bytes),
        "the checkpoint is of another specification or seed"
    );
    assert_eq!(
        refusal(&|execution| training(execution).batch_size = 4, 1, &made.bytes),
        "the checkpoint is of another specification or seed"
    );
    assert_eq!(
        refusal(&same, 2, &made.bytes),
        "the checkpoint is of epoch 1, step 0, not of epoch 2, step 0"
    );
    assert_eq!(
        refusal(&same, 1, &weights),
        "the checkpoint has no header: it is another kind of file"
    );
    for cut in [0, 7, 100, made.bytes.len() - 1] {
        let message = refusal(&same, 1, &made.bytes[..cut]);
        assert!(message.starts_with("the checkpoint cannot be read: "), "{message}");
    }
    // The same length, so that the file is still one.
    let edited = |from: &str, to: &str| {
        let position = made.bytes.windows(from.len()).position(|bytes| bytes == from.as_bytes());
        let mut bytes = made.bytes.clone();
        let position = position.expect("it is there");
        bytes[position..position + to.len()].copy_from_slice(to.as_bytes());
        refusal(&same, 1, &bytes)
    };
    let format = edited(r#"format\":3"#, r#"format\":7"#);
    assert_eq!(format, "the checkpoint has format 7, and this version of sweep knows format 3");
    let missing = edited("network/dense/kernel", "network/dense/kernal");
    assert_eq!(missing, "the checkpoint has no tensor `network/dense/kernel`");
    let shape = edited(
        r#"best/dense/kernel":{"dtype":"F32","shape":[8,3]"#,
        r#"best/dense/kernel":{"dtype":"F32","shape":[3,8]"#,
    );
    assert_eq!(
        shape,
        "the checkpoint has a tensor `best/dense/kernel` of shape [3, 8] where f32 of shape \
         [8, 3] belongs"
    );
    let header = edited(r#"steps\":"#, r#"strps\":"#);
    assert!(
        header.starts_with("the checkpoint has an unreadable header: unknown field"),
        "{header}"
    );
}
