-- Format 1 of study.db. `records` is all there is; the rest is for readers.

CREATE TABLE origin (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    experiment TEXT NOT NULL,
    dataset TEXT NOT NULL,
    version TEXT NOT NULL
);

CREATE TABLE records (
    sequence INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,          -- milliseconds since the Unix epoch
    body TEXT NOT NULL,              -- JSON
    kind TEXT AS (json_extract(body, '$.kind')) VIRTUAL,
    trial INTEGER AS (coalesce(json_extract(body, '$.id.trial'), json_extract(body, '$.trial'))) VIRTUAL,
    checksum INTEGER                 -- CRC-32 of at_ms and body; null in older files
);

CREATE INDEX records_by_kind ON records (kind, trial);

-- One row a trial.
CREATE VIEW trials AS
SELECT created.trial AS trial,
       coalesce(json_extract(ended.body, '$.state'), 'unfinished') AS state,
       json_extract(ended.body, '$.score') AS score,
       json_extract(ended.body, '$.error') AS error,
       json_extract(created.body, '$.hyperparameters') AS hyperparameters,
       created.at_ms AS created_ms,
       ended.at_ms AS ended_ms
FROM records AS created
LEFT JOIN records AS ended ON ended.kind = 'trial_ended' AND ended.trial = created.trial
WHERE created.kind = 'trial_created'
ORDER BY created.trial;

-- One row a lease of an execution; `outcome` is null while it is open.
CREATE VIEW attempts AS
SELECT started.trial AS trial,
       json_extract(started.body, '$.id.execution') AS execution,
       json_extract(started.body, '$.id.attempt') AS attempt,
       json_extract(started.body, '$.worker') AS worker,
       json_extract(ended.body, '$.outcome.outcome') AS outcome,
       json_extract(ended.body, '$.outcome.message') AS message,
       started.at_ms AS started_ms,
       ended.at_ms AS ended_ms,
       (ended.at_ms - started.at_ms) / 1000.0 AS seconds
FROM records AS started
LEFT JOIN records AS ended ON ended.sequence = (
    SELECT max(sequence) FROM records AS candidate
    WHERE candidate.kind = 'attempt_ended'
      AND candidate.trial = started.trial
      AND json_extract(candidate.body, '$.id') = json_extract(started.body, '$.id')
      AND NOT EXISTS (
          SELECT 1 FROM records AS resumed
          WHERE resumed.kind = 'attempt_resumed'
            AND resumed.trial = candidate.trial
            AND resumed.sequence > candidate.sequence
            AND json_extract(resumed.body, '$.id') = json_extract(candidate.body, '$.id')
      )
)
WHERE started.kind = 'attempt_started'
ORDER BY trial, execution, attempt;

-- One row a metric of an epoch.
CREATE VIEW measurements AS
SELECT records.trial AS trial,
       json_extract(records.body, '$.id.execution') AS execution,
       json_extract(records.body, '$.id.attempt') AS attempt,
       json_extract(records.body, '$.measurement.epoch') AS epoch,
       metric.key AS metric,
       metric.value AS value
FROM records, json_each(records.body, '$.measurement.metrics') AS metric
WHERE records.kind = 'measured'
ORDER BY records.sequence;
