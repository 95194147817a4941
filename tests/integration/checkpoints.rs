//! Checkpoints between a real coordinator and worker sessions.

use sweep::coordinator::decide::execution_seed;
use sweep::oracle::{Oracle, Proposal, RandomSearch, Suggestion};
use sweep::study::{Ended, Stage, Study, Trial, TrialId, TrialState};
use sweep_proto::v1::uploaded_file::Content;
use sweep_proto::v1::{self, complete_request};
use sweep_session::{Course, Epochs, Execution, ToyTrainer, Trainer as _};
use tonic::Code;

use crate::service::{DensePlan, INSTANCE, Site, acquire, chunk, space};

/// Rounds of 8, 3 and 1 trials, of 2, 4 and 7 epochs: the best go on.
struct Rounds(RandomSearch);

const TRIALS: [usize; 3] = [8, 3, 1];
const EPOCHS: [u32; 3] = [2, 4, 7];

impl Rounds {
    /// Trials of a round that are to go on, once it has ended; best first.
    fn best(study: &Study, round: u32) -> Option<Vec<TrialId>> {
        let of_round = |trial: &Trial| trial.stage.as_ref().is_some_and(|s| s.round == round);
        let ended = study.trials.iter().filter(|trial| of_round(trial) && trial.has_ended());
        if ended.count() < TRIALS[round as usize] {
            return None;
        }
        let places = TRIALS.get(round as usize + 1).copied().unwrap_or(0);
        let ranked = study.ranked().into_iter().filter(|trial| of_round(trial));
        Some(ranked.take(places).map(|trial| trial.id).collect())
    }
}

impl Oracle for Rounds {
    fn suggest(&self, study: &Study) -> Suggestion {
        let mut place = study.trials.len();
        let mut round = 0;
        while place >= TRIALS[round] {
            place -= TRIALS[round];
            round += 1;
            if round == TRIALS.len() {
                return Suggestion::Exhausted;
            }
        }
        let mut stage = Stage {
            iteration: 0,
            bracket: 2,
            round: round as u32,
            epochs: EPOCHS[round],
            is_last: round == 2,
            promoted_from: None,
        };
        if round == 0 {
            let Suggestion::Trial(drawn) = self.0.suggest(study) else {
                return Suggestion::Exhausted;
            };
            return Suggestion::Trial(Proposal { stage: Some(stage), ..drawn });
        }
        let Some(best) = Self::best(study, stage.round - 1) else { return Suggestion::Wait };
        stage.promoted_from = Some(best[place]);
        let source = &study.trials[best[place].0 as usize];
        Suggestion::Trial(Proposal {
            hyperparameters: source.hyperparameters.clone(),
            seed_state: study.seed_state,
            stage: Some(stage),
            ..Proposal::default()
        })
    }

    fn may_promote(&self, study: &Study, trial: TrialId) -> bool {
        let Some(stage) = &study.trials[trial.0 as usize].stage else { return false };
        let is_taken =
            study.trials.iter().any(|later| study.promoted_from(later.id) == Some(trial));
        !is_taken && Self::best(study, stage.round).is_none_or(|best| best.contains(&trial))
    }
}

fn rounds() -> Box<Rounds> {
    Box::new(Rounds(RandomSearch::new(space())))
}

/// What the toy trainer measures in one go.
fn measured_in_one_go(study: &Study, trial: &Trial, execution: u32) -> Vec<(u32, f64)> {
    struct Kept(Vec<(u32, f64)>);
    impl Epochs for Kept {
        fn report(&mut self, measurement: v1::Measurement) -> Course {
            let named = measurement.metrics.iter().find(|metric| metric.name == "val_accuracy");
            self.0.push((measurement.epoch, named.expect("measured").number()));
            Course::GoOn
        }
        fn course(&self) -> Course {
            Course::GoOn
        }
        fn wants_checkpoint(&self) -> bool {
            false
        }
        fn keep(&mut self, _: sweep_session::Checkpoint) {}
    }
    let specification = DensePlan::specification(&trial.hyperparameters, trial.stage.as_ref());
    let execution = Execution {
        specification: specification.expect("it was trained"),
        seed: execution_seed(study.settings.seed, study.origin_of(trial.id), execution),
        dataset: std::path::PathBuf::new(),
        checkpoint: None,
        keep_checkpoint: false,
    };
    let mut kept = Kept(Vec::new());
    ToyTrainer::default().train(&execution, &mut kept).expect("it trains");
    kept.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promoted_trials_train_on_whoever_trains_them() {
    let (alone, _folder) = Site::of(rounds()).await.work(1).await;
    let (study, folder) = Site::of(rounds()).await.work(4).await;
    assert_eq!(study.ended, Some(Ended::MaxTrials));
    assert_eq!(study.trials.len(), TRIALS.iter().sum::<usize>());
    for (trial, same) in study.trials.iter().zip(&alone.trials) {
        assert_eq!(trial.state, TrialState::Completed);
        assert_eq!((&trial.stage, trial.score), (&same.stage, same.score));
        let stage = trial.stage.as_ref().expect("every trial has one");
        for (index, execution) in (0..).zip(&trial.executions) {
            let attempt = execution.current().expect("it was trained");
            let known = attempt.measurements.iter().map(|measurement| {
                (measurement.epoch, measurement.get("val_accuracy").expect("measured"))
            });
            let whole = measured_in_one_go(&study, trial, index);
            assert_eq!(known.collect::<Vec<_>>(), whole, "as if it had never paused");
            assert_eq!(whole.len(), stage.epochs as usize);
            let source = attempt.from.map(|from| (from.id.trial, from.id.execution, from.epoch));
            let expected =
                stage.promoted_from.map(|source| (source, index, EPOCHS[stage.round as usize - 1]));
            assert_eq!(source, expected);
        }
    }
    assert!(study.checkpoints.is_empty());
    let left = std::fs::read_dir(folder.path().join("checkpoints")).expect("there").count();
    assert_eq!(left, 0, "nobody needs them any more");
}

#[tokio::test]
async fn a_checkpoint_is_sent_as_it_was_handed_in_until_its_file_is_lost() {
    let site = Site::of(rounds()).await;
    let mut client = site.client().await;
    let first = acquire(&mut client).await;
    let id = first.id;
    assert!(first.keep_checkpoint);
    let epoch = v1::Measurement { epoch: 2, ..Default::default() };
    let report = v1::ReportRequest { id, instance: INSTANCE, measurements: vec![epoch] };
    client.report(report).await.expect("measured");
    // Two whole chunks and a part of one.
    let bytes: Vec<u8> =
        (0..2 * sweep_proto::CHUNK_BYTES + 99).map(|index| (index / 3) as u8).collect();
    let chunk =
        |data: &[u8], epoch| chunk(id, data, Content::Checkpoint(v1::Position { epoch, step: 0 }));
    let mut chunks = vec![chunk(&bytes, 2)];
    let rest = chunks[0].data.split_off(sweep_proto::CHUNK_BYTES);
    let rest = rest.chunks(sweep_proto::CHUNK_BYTES);
    chunks.extend(rest.map(|data| v1::UploadChunk { file: None, data: data.to_vec() }));
    client.upload(tokio_stream::iter(chunks)).await.expect("taken");

    let zero = client.upload(tokio_stream::iter([chunk(&[1], 0)])).await.expect_err("epoch 0");
    assert_eq!(zero.code(), Code::InvalidArgument);
    client.upload(tokio_stream::iter([chunk(&[1], 9)])).await.expect("but not kept");
    let files = site.folder.path().join("checkpoints");
    let kept = files.join("trial-0-execution-0-attempt-1-epoch-2.checkpoint");
    assert_eq!(std::fs::read_dir(&files).expect("there").count(), 1);
    assert!(std::fs::read(&kept).expect("kept") == bytes);

    let outcome = Some(complete_request::Outcome::Released(v1::Released {}));
    client
        .complete(v1::CompleteRequest { id, instance: INSTANCE, outcome })
        .await
        .expect("given back");
    let second = acquire(&mut client).await;
    let announced = second.checkpoint.expect("to go on from");
    assert_eq!((announced.id, announced.epoch, announced.bytes), (id, 2, bytes.len() as u64));
    let request = v1::FetchCheckpointRequest { id, epoch: 2, step: 0 };
    let mut stream = client.fetch_checkpoint(request).await.expect("there").into_inner();
    let mut fetched = Vec::new();
    while let Some(chunk) = stream.message().await.expect("not broken off") {
        fetched.extend(chunk.data);
    }
    assert!(fetched == bytes, "not what was handed in");

    std::fs::remove_file(&kept).expect("removed");
    let gone = client.fetch_checkpoint(request).await.expect_err("gone");
    assert_eq!(gone.code(), Code::NotFound);
    assert_eq!(
        gone.message(),
        "the checkpoint of trial 0, execution 0, attempt 1 after epoch 2, step 0 is not here"
    );
    let outcome = Some(complete_request::Outcome::Released(v1::Released {}));
    let request = v1::CompleteRequest { id: second.id, instance: INSTANCE, outcome };
    client.complete(request).await.expect("given back");
    assert_eq!(acquire(&mut client).await.checkpoint, None, "it begins with epoch 1");
    let study = site.dispatcher.close().await.expect("the store works");
    assert!(study.checkpoints.is_empty());
}
